import { describe, expect, it } from 'vitest';
import type { CatalogTable } from '../../../../src/engines/mysql/catalog.ts';
import type { MysqlConnections } from '../../../../src/engines/mysql/connections.ts';
import { Counters } from '../../../../src/engines/mysql/counters.ts';
import { StatementEvidence } from '../../../../src/engines/mysql/evidence.ts';
import type { Explanation } from '../../../../src/engines/mysql/explanations.ts';
import { IndexUsage } from '../../../../src/engines/mysql/index-usage.ts';
import { Ledger } from '../../../../src/engines/mysql/ledger.ts';
import { refOf, settlements } from '../../../../src/engines/mysql/shares.ts';

const statement = { database: 'db', queryId: 'aa' };
const table = (name: string, partitioned = false): CatalogTable => ({
  database: 'db',
  name,
  fullText: new Set<string>(),
  indexes: new Map([
    ['PRIMARY', ['id']],
    ['by_k', ['k']],
  ]),
  dates: new Set(),
  partitioned,
});

describe('counters', () => {
  it('tell what grew since the last look, and count anew after a reset', () => {
    const counters = new Counters<{ id: string; calls: number; accesses: number }>((row) => row.id);
    const take = (calls: number, accesses: number) =>
      counters.take([{ id: 'a', calls, accesses }], true).map((one) => one.accesses);
    expect([take(5, 50), take(5, 50), take(7, 80), take(1, 4)]).toEqual([[], [], [30], [4]]);
    expect(counters.take([], true)).toEqual([]);
    expect(take(2, 9)).toEqual([9]);
  });
});

describe('ledger', () => {
  const shares = [{ ref: refOf(table('t'), 'by_k'), share: 1 }];
  const settleAll = (ledger: Ledger, known: boolean) => {
    for (const entry of ledger.entries()) {
      ledger.settle(entry, { shares: known ? shares : [], factor: 1, reason: 'why' });
    }
    return ledger.take(1_000, 0);
  };

  it('divides a statement among the VMs that were seen with it, and says that it did', () => {
    const evidence = new StatementEvidence();
    evidence.count(statement, 'app1', 30);
    evidence.count(statement, 'app2', 10);
    const ledger = new Ledger(evidence);
    ledger.add([{ ...statement, accesses: 400 }], 1);
    const { vms } = settleAll(ledger, true);
    expect(vms.get('app1')).toMatchObject({ blocks: 300, splitBlocks: 300, unexplained: [] });
    expect(vms.get('app2')).toMatchObject({ blocks: 100, splitBlocks: 100 });
    expect(vms.get('app1')?.relations).toEqual([{ ref: shares[0]?.ref, blocks: 300 }]);
    expect(settleAll(ledger, true).vms.size).toBe(0);
  });

  it('waits for a witness, then counts what nobody was seen with as unmatched, and its own not at all', () => {
    const evidence = new StatementEvidence();
    const own = { database: 'db', queryId: 'bb' };
    evidence.countOwn(own);
    const ledger = new Ledger(evidence);
    ledger.add(
      [
        { ...statement, accesses: 7 },
        { ...own, accesses: 100 },
      ],
      1,
    );
    const unmatched = [settleAll(ledger, true).unmatched.blocks];
    for (let window = 0; window < 3; window++) {
      ledger.add([], 1);
      unmatched.push(settleAll(ledger, true).unmatched.blocks);
    }
    expect(unmatched).toEqual([0, 0, 0, 7]);
  });

  it('gives up on what nothing explains after a few windows, with the reason', () => {
    const ledger = new Ledger(new StatementEvidence());
    ledger.add([{ ...statement, accesses: 9, vm: 'app1', coarse: true }], 1);
    const seen = [0, 1, 2, 3].map(() => settleAll(ledger, false).vms.get('app1'));
    expect(seen.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    expect(seen[3]).toMatchObject({
      blocks: 9,
      splitBlocks: 9,
      relations: [],
      unexplained: [{ ...statement, blocks: 9, reason: 'why' }],
    });
  });
});

describe('shares', () => {
  async function usageOf(counts: readonly (readonly [table: string, index: string, count: number])[]) {
    let looks = 0;
    const connections = {
      databases: ['db'],
      query: async () =>
        counts.map(([name, index, accesses]) => ({
          database: 'db',
          table: name,
          index,
          accesses: accesses * looks,
        })),
    } as unknown as MysqlConnections;
    const usage = new IndexUsage(connections);
    for (looks = 0; looks < 2; looks++) await usage.collect(1);
    return usage;
  }
  const entry = { statement, vm: 'app1', aged: 100, pending: 100 };
  const sharesOf = (explanation: Explanation, usage: IndexUsage) =>
    settlements([entry], () => explanation, usage)[0]?.shares.map(({ ref, share }) => [ref.name, share]);
  const touch = (index: string | undefined, also: string[] = [], of = table('t')): Explanation => ({
    kind: 'touches',
    touches: [{ table: of, index, also, rows: 10 }],
  });

  it('take the clustered index with a secondary one that does not answer alone', async () => {
    const usage = await usageOf([['t', 'by_k', 50]]);
    expect(sharesOf(touch('by_k'), usage)).toEqual([['t.by_k', 1]]);
    expect(sharesOf(touch('by_k', ['PRIMARY']), usage)).toEqual([
      ['t.by_k', 0.5],
      ['t', 0.5],
    ]);
  });

  it('follow the indexes that were used where the planner names another, or none', async () => {
    const usage = await usageOf([['t', 'PRIMARY', 50]]);
    for (const index of ['by_k', undefined]) expect(sharesOf(touch(index), usage)).toEqual([['t', 1]]);
  });

  it('take the planner at its word for ranges of a partitioned table, and add them to what is counted', async () => {
    const parted = table('p', true);
    const usage = await usageOf([
      ['p', 'PRIMARY', 1_000],
      ['t', 'PRIMARY', 1_000],
    ]);
    const ranged: Explanation = {
      kind: 'touches',
      touches: [{ table: parted, index: 'by_k', also: [], rows: 10, uncounted: true }],
    };
    expect(sharesOf(ranged, usage)).toEqual([['p.by_k', 1]]);
    const joined: Explanation = {
      kind: 'touches',
      touches: [
        { table: parted, index: 'PRIMARY', also: [], rows: 10 },
        { table: table('t'), index: 'PRIMARY', also: [], rows: 10 },
      ],
    };
    const byRange: Explanation = {
      kind: 'touches',
      touches: [{ table: parted, index: 'PRIMARY', also: [], rows: 10, uncounted: true }],
    };
    const other = { ...entry, statement: { database: 'db', queryId: 'bb' }, aged: 1, pending: 1 };
    const [shared] = settlements(
      [{ ...entry, aged: 2_000 }, other],
      (one) => (one === other ? byRange : joined),
      usage,
    );
    for (const { share } of shared!.shares) expect(share).toBeCloseTo(0.5, 2);
  });

  it('give nothing to a table that was not touched, but to one that is not counted', async () => {
    const usage = await usageOf([['other', 'PRIMARY', 50]]);
    expect(sharesOf(touch('by_k'), usage)).toEqual([]);
    expect(sharesOf(touch('by_k', [], table('t', true)), usage)).toEqual([['t.by_k', 1]]);
    expect(sharesOf(touch(undefined), await usageOf([]))).toEqual([['t', 1]]);
  });
});
