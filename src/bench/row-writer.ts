import { escapeIdentifier } from 'pg';
import type { PostgresServer } from '../lab/postgres-server.ts';
import { systemClock } from '../lib/clock.ts';

/** Rewrites rows of some tables at the primary at an even rate, so that replicas have something to replay. */
export class RowWriter {
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  /** `perSecond` counts for each table. */
  static async start(
    primary: PostgresServer,
    tables: readonly string[],
    perSecond: number,
  ): Promise<RowWriter> {
    const writer = new RowWriter();
    const client = await primary.connect();
    writer.#done = (async () => {
      for (let id = 1; !writer.#stop.signal.aborted; id += 997) {
        for (const table of tables) {
          await client.query(
            `UPDATE ${escapeIdentifier(table)} SET filler = filler WHERE id = 1 + $1 % 10000`,
            [id],
          );
        }
        await systemClock.sleep(1_000 / perSecond, writer.#stop.signal);
      }
      await client.end();
    })();
    return writer;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}
