import type { Kysely } from 'kysely';
import { expect } from 'vitest';
import {
  type AnyPool,
  backAndForth,
  Diary,
  type RouteDesk,
  underLoad,
  untilAt,
} from '../faults/support/switch-world.ts';

/** What a switching pool must stand on every engine, between `a` and `b`, two addresses of one primary. */

/** Of the table `marks`: what each client wrote at each of its steps. */
export interface Mark {
  readonly client: number;
  readonly step: number;
}

export interface MarksDatabase {
  readonly marks: { client: number; step: number };
}

/**
 * A hundred switches under 32 clients: no step fails, and `marks` has what was written, once. Ends the pool.
 * `work` resolves to true where it wrote its mark.
 */
export async function hundredSwitches(proof: {
  readonly what: string;
  readonly pool: AnyPool & { end(): Promise<void> };
  readonly desk: RouteDesk;
  readonly work: (mark: Mark) => Promise<boolean>;
  readonly marks: () => Promise<readonly Mark[]>;
}): Promise<void> {
  const { what, pool, desk, work } = proof;
  const diary = new Diary(pool);
  await diary.untilNoticed('started');
  const written: string[] = [];
  const textOf = ({ client, step }: Mark) => `${client},${step}`;
  const { steps, longestMs, errors } = await underLoad(
    32,
    async (client, step) => {
      if (await work({ client, step })) written.push(textOf({ client, step }));
    },
    () => backAndForth(pool, desk, { times: 100, replicas: ['a', 'b'] }),
  );
  await expect.poll(() => pool.counters.completed).toBe(100);
  const { counters } = pool;
  await pool.end();
  console.info(
    `100 switches on ${what}: ${steps} steps of 32 clients, longest ${longestMs.toFixed(0)} ms; ` +
      `checkouts held ${counters.longestHoldMs.toFixed(1)} ms at most`,
  );
  expect(errors).toEqual([]);
  expect(counters).toMatchObject({ post: 100, failed: 0, fellBack: 0, behind: 0, connectionsCut: 0 });
  expect((await proof.marks()).map(textOf).sort()).toEqual(written.sort());
}

/** A transaction of Kysely's stays where it began, and all else goes along. The pool is at `b` then. */
export async function kyselyGoesAlong(
  db: Kysely<MarksDatabase>,
  { pool, desk }: { readonly pool: AnyPool; readonly desk: RouteDesk },
): Promise<void> {
  await db.deleteFrom('marks').execute();
  await db.insertInto('marks').values({ client: 1, step: 1 }).execute();
  await db.transaction().execute(async (transaction) => {
    await transaction.insertInto('marks').values({ client: 1, step: 2 }).execute();
    await desk.to('b');
    await untilAt(pool, 'b');
    await transaction.insertInto('marks').values({ client: 1, step: 3 }).execute();
  });
  const seen: number[] = [];
  for await (const row of db.selectFrom('marks').select('step').orderBy('step').stream(2))
    seen.push(row.step);
  expect(seen).toEqual([1, 2, 3]);
}
