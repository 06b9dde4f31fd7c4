import { escapeIdentifier } from 'pg';
import type { DatabaseServer } from '../lab/experiment/database.ts';
import { innodbOf } from '../lab/experiment/innodb-database.ts';
import { postgresOf } from '../lab/experiment/postgres-database.ts';
import { systemClock } from '../lib/clock.ts';

/** One connection that writes single rows anew. */
interface Rewriter {
  rewrite(table: string, id: number): Promise<void>;
  close(): Promise<void>;
}

/** Rewrites rows of some tables at the primary at an even rate, so that replicas have something to replay. */
export class RowWriter {
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  /** `perSecond` counts for each table. */
  static async start(
    primary: DatabaseServer,
    tables: readonly string[],
    perSecond: number,
  ): Promise<RowWriter> {
    const writer = new RowWriter();
    const rewriter = await openRewriter(primary);
    writer.#done = (async () => {
      for (let at = 1; !writer.#stop.signal.aborted; at += 997) {
        for (const table of tables) await rewriter.rewrite(table, 1 + (at % 10_000));
        await systemClock.sleep(1_000 / perSecond, writer.#stop.signal);
      }
      await rewriter.close();
    })();
    return writer;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

async function openRewriter(primary: DatabaseServer): Promise<Rewriter> {
  if (primary.agentDatabase.engine === 'postgres') {
    const client = await postgresOf(primary).connect();
    return {
      async rewrite(table, id) {
        await client.query(`UPDATE ${escapeIdentifier(table)} SET filler = filler WHERE id = $1`, [id]);
      },
      close: () => client.end(),
    };
  }
  const connection = await innodbOf(primary).connect();
  return {
    // InnoDB writes nothing where nothing changes.
    async rewrite(table, id) {
      await connection.query('UPDATE ?? SET filler = REVERSE(filler) WHERE id = ?', [table, id]);
    },
    close: () => connection.end(),
  };
}
