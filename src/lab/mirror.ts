import type { AppClient } from './app-client.ts';
import { type IdRange, seededRandom } from './load-pattern.ts';

const clientCount = 2;
/** Reads that wait for a connection; beyond them they are dropped, as a mirror must not hold up its original. */
const mostWaiting = 64;

/** Does a share of an application's reads at another server too. Failures are dropped. */
export class Mirror {
  readonly #share: number;
  readonly #idle: AppClient[];
  readonly #random = seededRandom(1);
  readonly #waiting: IdRange[] = [];
  readonly #busy = new Set<Promise<void>>();
  #closed = false;

  private constructor(share: number, clients: AppClient[]) {
    this.#share = share;
    this.#idle = clients;
  }

  static async open(options: {
    readonly share: number;
    readonly open: () => Promise<AppClient>;
  }): Promise<Mirror> {
    const clients = Array.from({ length: clientCount }, () => options.open());
    return new Mirror(options.share, await Promise.all(clients));
  }

  /** Never waits and never throws. */
  offer(ids: IdRange): void {
    if (this.#closed || this.#random() >= this.#share || this.#waiting.length >= mostWaiting) return;
    this.#waiting.push(ids);
    this.#next();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.length = 0;
    await Promise.all(this.#busy);
    await Promise.all(this.#idle.map((client) => client.close()));
  }

  #next(): void {
    const ids = this.#idle.length === 0 ? undefined : this.#waiting.shift();
    const client = ids === undefined ? undefined : this.#idle.pop();
    if (ids === undefined || client === undefined) return;
    const work = client
      .read(ids)
      .catch(() => {})
      .then(() => {
        this.#busy.delete(work);
        this.#idle.push(client);
        this.#next();
      });
    this.#busy.add(work);
  }
}
