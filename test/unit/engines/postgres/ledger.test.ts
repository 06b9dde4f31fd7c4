import { describe, expect, it } from 'vitest';
import { compileVmRules } from '../../../../src/attribution/vm-rules.ts';
import { Ledger } from '../../../../src/engines/postgres/ledger.ts';
import type { SessionEvidence } from '../../../../src/engines/postgres/sessions.ts';

const table = (name: string) => ({ database: 'd', schema: 's', name, kind: 'table' }) as const;
const index = (name: string, parent: string) =>
  ({ database: 'd', schema: 's', name, kind: 'index', parent: `s.${parent}` }) as const;
const refs = [
  table('big'),
  index('big_a', 'big'),
  index('big_b', 'big'),
  table('small'),
  index('small_pkey', 'small'),
];

/** What one window books of statements, each with its blocks and their shares by name. */
function booked(statements: readonly (readonly [blocks: number, shares: Record<string, number>])[]) {
  const evidence = { samples: () => [], knowsUser: () => false } as unknown as SessionEvidence;
  const ledger = new Ledger(compileVmRules([{ vm: 'app1', user: 'u' }]), evidence);
  const deltas = statements.map(([hit], at) => ({
    ...{ user: 'u', database: 'd', queryId: `${at}`, topLevel: true, hit, read: 0 },
  }));
  ledger.add(deltas, new Map(), 1, { aliasOf: () => undefined, lockersOf: () => [] });
  for (const entry of ledger.entries('d')) {
    const [, shares] = statements[Number(entry.statement.queryId)]!;
    const byOid = Object.entries(shares).map(([name, share]) => {
      return [String(refs.findIndex((ref) => ref.name === name)), share] as const;
    });
    const verdict = { factor: 1, shares: new Map(byOid), unsettled: false, wanted: [] };
    ledger.settle(entry, { verdict, reason: undefined, ref: (oid) => refs[Number(oid)] });
  }
  const { vms } = ledger.take(1_000, 0, ['d']);
  return vms.get('app1')?.relations.map(({ ref }) => ref.name);
}

describe('what a window shows', () => {
  it('has a small table that is looked up beside one that is scanned, with its index', () => {
    const lookups = [300, { small: 0.4, small_pkey: 0.6 }] as const;
    expect(booked([[1_000_000, { big: 1 }], lookups])).toEqual(['big', 'small_pkey', 'small']);
  });

  it('has not what the fit gives to indexes by which a statement might have read', () => {
    expect(booked([[1_000_000, { big: 0.6, big_a: 0.399, big_b: 0.001 }]])).toEqual(['big', 'big_a']);
    const seldom = [1_000, { big: 0.6, big_a: 0.39, big_b: 0.01 }] as const;
    expect(booked([[1_000_000, { big: 0.6, big_a: 0.4 }], seldom])).toEqual(['big', 'big_a']);
  });
});
