import { describe, expect, it } from 'vitest';
import type { Explanation } from '../../../../src/engines/postgres/explanations.ts';
import { Catalog, type CatalogRelation } from '../../../../src/engines/postgres/relation-stats.ts';
import type { WitnessedRow } from '../../../../src/engines/postgres/witnessed-row.ts';
import { type Verdict, weigh } from '../../../../src/engines/postgres/witnesses.ts';

const relation = (oid: string, over: Partial<CatalogRelation> = {}): CatalogRelation => ({
  oid,
  schema: 'public',
  name: `relation_${oid}`,
  kind: 'r',
  pages: 100,
  tableOid: null,
  leadingColumn: null,
  toastOid: null,
  parentOid: null,
  toastable: null,
  ...over,
});

/** Three partitions of one table, and a table beside. */
const catalog = new Catalog([
  relation('20000', { kind: 'p' }),
  relation('20001', { parentOid: '20000' }),
  relation('20002', { parentOid: '20000' }),
  relation('20003', { parentOid: '20000' }),
  relation('20009'),
]);
const partitions = ['20001', '20002', '20003'];

const planned = (tables: readonly string[]): Explanation => ({
  resolutions: [
    {
      key: tables.join(),
      seeds: new Map(tables.map((oid) => [oid, 10])),
      tables: new Set(tables),
      toast: new Set(),
      hints: new Set(),
      mentions: new Set(),
      identified: true,
    },
  ],
  schemas: new Set(),
});

const noLocks = { looks: 0, byOid: new Map() };

function row(vm: string, volume: number, locked: Readonly<Record<string, number>> = {}): WitnessedRow {
  const byOid = new Map(Object.entries(locked));
  const looks = [...byOid.values()].reduce((sum, one) => sum + one, 0);
  return {
    vm,
    volume,
    group: vm,
    explanation: planned(partitions),
    statementLocks: noLocks,
    vmLocks: { looks, byOid },
  };
}

const sharesOf = (verdict: Verdict | undefined) =>
  Object.fromEntries([...(verdict?.shares ?? [])].map(([oid, share]) => [oid, Math.round(share * 100)]));

describe('partitions of a table that two VMs read', () => {
  const counted = new Map([
    ['20001', 1000],
    ['20003', 600],
  ]);

  it('are told by the locks of each', () => {
    const [a, b] = weigh([row('a', 1000, { 20001: 9 }), row('b', 600, { 20003: 9 })], counted, catalog);
    expect([sharesOf(a), sharesOf(b)]).toEqual([{ 20001: 100 }, { 20003: 100 }]);
    expect([a?.unsettled, b?.unsettled]).toEqual([false, false]);
  });

  it('of which one was never seen: what the other accounts for is not its own', () => {
    const [a, b] = weigh([row('a', 1000, { 20001: 9 }), row('b', 600)], counted, catalog);
    expect([sharesOf(a), sharesOf(b)]).toEqual([{ 20001: 100 }, { 20003: 100 }]);
    expect([a?.doubt, b?.doubt]).toEqual([undefined, undefined]);
    expect(b?.unsettled).toBe(true);
    expect(b?.wanted).toEqual(['20001', '20003']);
  });

  it('of which none was ever seen are a doubt of both', () => {
    for (const verdict of weigh([row('a', 1000), row('b', 600)], counted, catalog)) {
      expect(verdict.doubt).toContain('no lock has told which partitions');
    }
  });

  it('of which two were never seen stay a doubt of those, whatever a third accounts for', () => {
    const [a, b, c] = weigh([row('a', 1000, { 20001: 9 }), row('b', 300), row('c', 300)], counted, catalog);
    expect(sharesOf(a)).toEqual({ 20001: 100 });
    for (const one of [b, c]) expect(one?.doubt).toContain('no lock has told which partitions');
  });

  it('and of which all are accounted for stay a doubt', () => {
    const [, b] = weigh([row('a', 1600, { 20001: 10, 20003: 6 }), row('b', 50)], counted, catalog);
    expect(b?.doubt).toContain('no lock has told which partitions');
  });
});

it("partitions that only one VM reads are divided by the relations' counts", () => {
  const counted = new Map([
    ['20001', 750],
    ['20002', 250],
  ]);
  const [only] = weigh([row('a', 1000)], counted, catalog);
  expect(sharesOf(only)).toEqual({ 20001: 75, 20002: 25 });
  expect(only?.doubt).toBeUndefined();
});
