import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Qmp } from '../../hypervisor/qmp.ts';
import { ForewarmError } from '../../lib/errors.ts';
import type { AppConfig } from '../app-messages.ts';
import { type AppLink, AppVm } from '../app-vm.ts';
import type { OwnedChild, OwnedProcesses } from '../owned-processes.ts';
import { locateQemu } from '../qemu.ts';
import { until } from '../run.ts';
import type { GuestImage } from './guest-image.ts';
import type { GuestLink, GuestLinks } from './guest-links.ts';
import { bridgeAddress, type GuestNetwork } from './guest-network.ts';

/** What runs a guest's instructions: the processor itself, or QEMU. */
export type Accelerator = 'kvm' | 'tcg';

/** Where guests find the lab's applications' parent, at `bridgeAddress`. */
export const controlPort = 7000;
/** Node and its libraries lie in it twice while the kernel unpacks them. */
export const guestMiB = 512;
const bootMs = 120_000;

/** What all guests of a run share. */
export interface GuestHost {
  readonly owned: OwnedProcesses;
  readonly image: GuestImage;
  readonly network: GuestNetwork;
  readonly links: GuestLinks;
  readonly accelerator: Accelerator;
}

/** One QEMU process. */
interface Hypervisor {
  readonly child: OwnedChild;
  readonly tap: string;
  /** QMP sockets, each for one client at a time. */
  readonly qmp: string;
  readonly secondQmp: string;
}

/** A guest that reads a database, on its way from one QEMU process to another. */
export class Guest {
  readonly vm: string;
  readonly #host: GuestHost;
  /** Of all guests, from 0: makes its addresses. */
  readonly #number: number;
  readonly #folder: string;
  readonly #source: Hypervisor;
  #destination: Hypervisor | undefined;
  readonly app: AppVm;

  private constructor(of: {
    host: GuestHost;
    number: number;
    folder: string;
    source: Hypervisor;
    link: GuestLink;
    config: AppConfig;
  }) {
    this.vm = of.config.vm;
    this.#host = of.host;
    this.#number = of.number;
    this.#folder = of.folder;
    this.#source = of.source;
    const { child } = of.source;
    const link: AppLink = {
      pid: child.pid,
      // It lives where it is moved to.
      ended: child.ended.then(() => this.#destination?.child.ended),
      send: (command) => of.link.send(command),
      onReport: (listener) => of.link.onReport(listener),
      stop: () => this.end(),
    };
    this.app = new AppVm(of.config.vm, link);
  }

  /** Resolves when its application is connected and reads. */
  static async boot(host: GuestHost, number: number, config: AppConfig): Promise<Guest> {
    const { owned, links } = host;
    const { vm } = config;
    const folder = owned.folder(`guest-${vm}-${Date.now().toString(36)}`);
    const called = links.next(vm);
    const source = await startQemu(host, { vm, number, folder, name: 'source' });
    let ended = false;
    void source.child.ended.then(() => {
      ended = true;
    });
    let link: GuestLink | undefined;
    void called.then((found) => {
      link = found;
    });
    const hint = () => consoleTail(folder);
    const found = await until(
      `the guest of ${vm} to call`,
      async () => {
        if (ended) throw new ForewarmError('lab_unavailable', `the guest of ${vm} ended: ${hint()}`);
        return link;
      },
      { timeoutMs: bootMs, everyMs: 100, hint },
    );
    const guest = new Guest({ host, number, folder, source, link: found, config });
    const ready = guest.app.ready();
    found.configure(config);
    await ready;
    return guest;
  }

  /** Starts the QEMU that it is to be moved to; gives where its memory is to be sent. */
  async awaitAtDestination(): Promise<string> {
    const uri = `tcp:127.0.0.1:${4_444 + this.#number}`;
    const { vm } = this;
    const place = { vm, number: this.#number, folder: this.#folder, name: 'destination', incoming: uri };
    this.#destination = await startQemu(this.#host, place);
    return uri;
  }

  /** The source's, for whoever moves it. */
  get qmp(): string {
    return this.#source.qmp;
  }

  /** How long it stood still in its move, in ms, by QEMU's own account. */
  async downtimeMs(): Promise<number> {
    const qmp = await Qmp.connect(this.#source.secondQmp);
    try {
      const { downtime = 0 } = (await qmp.execute('query-migrate')) as { downtime?: number };
      return downtime;
    } finally {
      qmp.close();
    }
  }

  async end(): Promise<void> {
    const places = [this.#source, ...(this.#destination === undefined ? [] : [this.#destination])];
    await Promise.all(places.map(({ child }) => this.#host.owned.end(child, 'SIGKILL')));
    await Promise.all(places.map(({ tap }) => this.#host.network.removeTap(tap).catch(() => {})));
  }
}

async function startQemu(
  host: GuestHost,
  guest: { vm: string; number: number; folder: string; name: string; incoming?: string },
): Promise<Hypervisor> {
  const { owned, image, network, accelerator } = host;
  const { vm, number, folder, name, incoming } = guest;
  const { program, args, env } = await locateQemu();
  const tap = await network.addTap();
  const sockets = { qmp: join(folder, `${name}.qmp`), secondQmp: join(folder, `${name}.qmp2`) };
  const words = [
    ...['console=ttyS0', 'panic=-1', 'quiet', 'ipv6.disable=1'],
    ...[`forewarm.vm=${vm}`, `forewarm.address=10.77.1.${number + 1}/16`],
    `forewarm.control=${bridgeAddress}:${controlPort}`,
  ];
  const mac = `52:54:00:77:01:${(number + 1).toString(16).padStart(2, '0')}`;
  const command = network.inside(program, [
    ...args,
    ...['-machine', `pc,accel=${accelerator}`, '-cpu', 'max', '-m', `${guestMiB}`, '-smp', '1'],
    ...['-display', 'none', '-nodefaults', '-no-reboot'],
    ...['-kernel', image.kernel, '-initrd', image.initrd, '-append', words.join(' ')],
    ...['-netdev', `tap,id=net,ifname=${tap},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=net,mac=${mac},romfile=`],
    // Both of a guest's QEMUs write to it.
    ...['-chardev', `file,id=console,path=${consoleOf(folder)},append=on`, '-serial', 'chardev:console'],
    ...Object.values(sockets).flatMap((path) => ['-qmp', `unix:${path},server=on,wait=off`]),
    ...(incoming === undefined ? [] : ['-incoming', incoming]),
  ]);
  const child = owned.spawn(...command, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  });
  await until(
    `QEMU for ${vm} to listen`,
    async () => {
      if (child.child.exitCode !== null)
        throw new ForewarmError('lab_unavailable', `QEMU for ${vm} ended at once; its message is on stderr`);
      const qmp = await Qmp.connect(sockets.secondQmp).catch(() => undefined);
      qmp?.close();
      return qmp;
    },
    { timeoutMs: 20_000, everyMs: 50 },
  );
  return { child, tap, ...sockets };
}

function consoleOf(folder: string): string {
  return join(folder, 'console');
}

function consoleTail(folder: string): string {
  return readFileSync(consoleOf(folder), 'utf8').trim().split('\n').slice(-5).join('\n');
}
