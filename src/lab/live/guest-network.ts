import { readlinkSync } from 'node:fs';
import { ForewarmError } from '../../lib/errors.ts';
import type { OwnedChild, OwnedProcesses } from '../owned-processes.ts';
import { run, until } from '../run.ts';
import { siblingScript } from '../sibling-script.ts';
import type { Forward } from './forward-process.ts';

/** This side of the guests' bridge. It is the same in every run: no two of these networks see each other. */
export const bridgeAddress = '10.77.0.1';

/**
 * A network namespace with a bridge on which the guests' cards are. It has no name and belongs to its processes: when
 * they are gone, whatever ended them, the kernel takes it away with the bridge and all cards.
 */
export class GuestNetwork {
  readonly #owned: OwnedProcesses;
  readonly #holder: OwnedChild;
  #tapCount = 0;

  private constructor(owned: OwnedProcesses, holder: OwnedChild) {
    this.#owned = owned;
    this.#holder = holder;
  }

  /** Needs root, `unshare`, `nsenter` and `ip`. */
  static async start(owned: OwnedProcesses): Promise<GuestNetwork> {
    const holder = owned.spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
    const network = new GuestNetwork(owned, holder);
    const own = readlinkSync('/proc/self/ns/net');
    await until(
      'a network namespace',
      async () => {
        if (holder.child.exitCode !== null)
          throw new ForewarmError('lab_unavailable', 'no network namespace could be made (unshare --net)');
        return readlinkSync(`/proc/${holder.pid}/ns/net`) === own ? undefined : true;
      },
      { timeoutMs: 5_000 },
    );
    // Without a forward delay a card that is new on the bridge is heard at once.
    await network.#ip('link add guests type bridge stp_state 0 forward_delay 0');
    await network.#ip(`addr add ${bridgeAddress}/16 dev guests`);
    for (const link of ['lo', 'guests']) await network.#ip(`link set ${link} up`);
    return network;
  }

  /** A new card's other end on the bridge; gives its name. */
  async addTap(): Promise<string> {
    this.#tapCount += 1;
    const tap = `tap${this.#tapCount}`;
    await this.#ip(`tuntap add dev ${tap} mode tap`);
    await this.#ip(`link set ${tap} master guests up`);
    return tap;
  }

  async removeTap(tap: string): Promise<void> {
    await this.#ip(`link del ${tap}`);
  }

  /** What starts a program in this network. */
  inside(command: string, args: readonly string[]): readonly [string, readonly string[]] {
    return ['nsenter', [`--net=/proc/${this.#holder.pid}/ns/net`, '--', command, ...args]];
  }

  /** Lets guests reach Unix sockets by ports of `bridgeAddress`. */
  async forward(forwards: readonly Forward[]): Promise<void> {
    const script = siblingScript(import.meta.url, 'forward-process');
    const config = JSON.stringify({ address: bridgeAddress, forwards });
    const [command, args] = this.inside(process.execPath, [...script, config]);
    const { child, ended } = this.#owned.spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ready = new Promise<true>((resolve) => child.stdout?.once('data', () => resolve(true)));
    if ((await Promise.race([ready, ended])) === true) return;
    throw new ForewarmError(
      'lab_unavailable',
      "the way from the guests' network to the databases ended at once",
    );
  }

  async #ip(words: string): Promise<void> {
    await run(...this.inside('ip', words.split(' ')));
  }
}
