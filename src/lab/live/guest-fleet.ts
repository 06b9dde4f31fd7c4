import { join } from 'node:path';
import type { AppConfig } from '../app-messages.ts';
import type { OwnedProcesses } from '../owned-processes.ts';
import type { Forward } from './forward-process.ts';
import { controlPort, Guest, type GuestHost } from './guest.ts';
import { makeGuestImage } from './guest-image.ts';
import { GuestLinks } from './guest-links.ts';
import { bridgeAddress, GuestNetwork } from './guest-network.ts';
import { chooseAccelerator, requireLiveGuests } from './requirements.ts';

/** A server that guests reach by its Unix socket, under its own port. */
export interface ReachableServer {
  readonly port: number;
  readonly socketDir: string;
}

/** All that guests need on this machine: image, network, the way to the databases and to their parent. */
export class GuestFleet {
  readonly host: GuestHost;

  private constructor(host: GuestHost) {
    this.host = host;
  }

  /** Rejects with `lab_unavailable` and what is missing. All of it is gone with `owned`. */
  static async start(owned: OwnedProcesses, servers: readonly ReachableServer[]): Promise<GuestFleet> {
    await requireLiveGuests();
    const image = await makeGuestImage(owned);
    const accelerator = await chooseAccelerator(owned, image);
    const network = await GuestNetwork.start(owned);
    const links = await GuestLinks.listen(join(owned.folder('guests'), 'control'));
    const databases = servers.map(
      ({ port, socketDir }): Forward => ({ port, path: join(socketDir, `.s.PGSQL.${port}`) }),
    );
    await network.forward([{ port: controlPort, path: links.path }, ...databases]);
    return new GuestFleet({ owned, image, network, links, accelerator });
  }

  /** Guests that are connected and read, one for each configuration. */
  boot(configs: readonly AppConfig[]): Promise<readonly Guest[]> {
    return Promise.all(configs.map((config, number) => Guest.boot(this.host, number, config)));
  }

  close(): void {
    this.host.links.close();
  }
}

/** A connection string as guests see it. */
export function seenByGuests(dsn: string): string {
  const url = new URL(dsn);
  url.hostname = bridgeAddress;
  return url.href;
}
