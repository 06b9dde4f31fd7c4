import { afterEach, expect, it, vi } from 'vitest';
import { Accounting } from '../../../src/agent/accounting.ts';
import type { HeatCarry } from '../../../src/agent/heat-carry.ts';
import type { MigrationRun } from '../../../src/agent/migration-run.ts';
import { systemClock } from '../../../src/lib/clock.ts';

afterEach(() => void vi.restoreAllMocks());

/** A VM's run whose statistics are counted only when they are collected. */
function counted() {
  const arrival = new AbortController();
  const [seen, known] = [
    { blocksHit: 100, blocksRead: 10 },
    { blocksHit: 0, blocksRead: 0 },
  ];
  const told: string[] = [];
  const collect = async () => {
    told.push('collect');
    Object.assign(known, seen);
  };
  const run = {
    arrived: arrival.signal,
    record: { vm: 'app1' },
    parts: {
      profiles: { collect, counters: () => ({ ...known }) },
      engine: { tells: { readsOfVms: true, heatOfBlocks: false } },
      watch: { warming: () => () => {} },
    },
  } as unknown as MigrationRun;
  const carry = {
    goOn: async () => void told.push('carry'),
    heats: () => new Map(),
    locals: [],
  } as unknown as HeatCarry;
  return { run, carry, seen, told, arrive: () => arrival.abort() };
}

it('asks and touches nothing while the VM makes its first reads here, and counts those all the same', async () => {
  const { run, carry, seen, told, arrive } = counted();
  let nowMs = 0;
  vi.spyOn(systemClock, 'monotonicMs').mockImplementation(() => nowMs);
  vi.spyOn(systemClock, 'sleep').mockImplementation(async (ms) => {
    nowMs += ms;
    told.push(`${ms} ms pass`);
  });
  const accounting = new Accounting(run, 60_000);
  expect(told).toEqual(['collect']);
  arrive();
  const figures = accounting.settle(carry, new AbortController().signal);
  expect(told).toEqual(['collect']);
  await Promise.resolve();
  Object.assign(seen, { blocksHit: 190, blocksRead: 20 });
  expect(await figures).toEqual({ windowMs: 60_000, blocksRead: 10, hitRatio: 0.9 });
  expect(told).toEqual(['collect', '2000 ms pass', '58000 ms pass', 'carry', 'collect']);
});
