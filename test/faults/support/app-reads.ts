import type pg from 'pg';
import { rowsForTable, rowsPerBlock } from '../../../src/lab/app-data.ts';
import type { PostgresServer } from '../../../src/lab/postgres-server.ts';

export const appTable = 'readings';
export const appVm = 'app1';
export const appRowCount = rowsForTable(24);

const rangeBlockCount = 18;
const rangeRowCount = rangeBlockCount * rowsPerBlock;

/** SQL that tells whether the application reads a block of its table. */
export const isHot = (block: string) => `${block} % ${2 * rangeBlockCount} < ${rangeBlockCount}`;

/** Reads every second range of the table, as the application whose cache is to move. */
export async function readHotRanges(client: pg.Client): Promise<void> {
  for (let first = 1; first < appRowCount; first += 2 * rangeRowCount) {
    await client.query({
      name: 'hot',
      text: `SELECT count(filler) FROM ${appTable} WHERE id BETWEEN $1 AND $2`,
      values: [first, first + rangeRowCount - 1],
    });
  }
}

/** Reads on and on until `stop`; lost connections are opened again, for the application lives on. */
export class AppLoad {
  readonly #server: PostgresServer;
  #stopped = false;
  #done: Promise<void> = Promise.resolve();
  passCount = 0;

  constructor(server: PostgresServer) {
    this.#server = server;
  }

  start(): this {
    this.#done = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const client = await this.#server.connect({ role: appVm, applicationName: appVm });
        try {
          while (!this.#stopped) {
            await readHotRanges(client);
            this.passCount += 1;
            await pause(100);
          }
        } finally {
          await client.end().catch(() => {});
        }
      } catch {
        await pause(200);
      }
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
