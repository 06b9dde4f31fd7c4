import { expect, it, vi } from 'vitest';
import type { MigrationRun } from '../../../src/agent/migration-run.ts';
import { NearEnd } from '../../../src/agent/near-end.ts';
import type { RoundContext } from '../../../src/agent/warming-round.ts';
import type { Engine } from '../../../src/engines/engine.ts';
import { singleRange } from '../../../src/planning/block-ranges.ts';
import { createCostModel } from '../../../src/planning/cost-model.ts';
import { relationKey, type WorkSet } from '../../../src/planning/work-set.ts';

const total = 1_000;
const ref = { database: 'd', schema: 's', name: 't', kind: 'table', fork: 'main', filenode: '' } as const;
const wanted = { ...ref, sizeBlocks: total, share: 1, ranges: singleRange(0, total, 2) };
const workSet = { blockBytes: 8192, blocksKnown: true, relations: [wanted] } as unknown as WorkSet;

/** A migration of which nothing but its state and residency matters here, and a target that holds so many blocks. */
function nearing(heldBlocks: number) {
  const poolState = vi.fn(async () => ({
    known: true,
    ...{
      poolBlocks: 2 * total,
      freeBlocks: total,
      blocksByHeat: [0, 0, heldBlocks, 0, 0, 0],
      osCacheBytes: null,
    },
    resident: new Map([[relationKey(wanted), singleRange(0, heldBlocks, 2)]]),
  }));
  const match = async () => [{ wanted, verdict: 'blocks', local: wanted }];
  const context = {
    engine: { match, poolState } as unknown as Engine,
    device: { model: createCostModel() },
    ...{ osCacheFraction: 0, goal: 0.95, deadlineMs: () => null, osDone: new Map() },
  } as unknown as RoundContext;
  const watch = { look: async () => {}, health: { replaying: true, lagMs: 0 }, identity: { replica: true } };
  const record: { readyAt?: string; residency?: number } = {};
  const run = {
    ...{ record, arrived: new AbortController().signal, logger: { debug() {} } },
    parts: { watch, config: { warm: { goal: 0.95, maxLagMs: 1_000 } } },
    update: (patch: object) => Object.assign(record, patch),
    apply: () => {
      record.readyAt = 'now';
    },
  } as unknown as MigrationRun;
  const answer = { workSet, origin: 'agent' as const };
  const nearEnd = new NearEnd(run, {
    ...{ context, planned: answer, askAnew: async () => answer, lookMs: 0 },
    figures: { warmed: {} } as never,
    target: { plan: { skippedBlocks: 0, osBlocks: 0 } as never, residency: 0.95 },
    stop: new AbortController().signal,
  });
  const read = async (done: number) => {
    nearEnd.step({ done, total }, 10_000);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { record, poolState, read };
}

it('measures once the goal is read, and not before', async () => {
  const { record, poolState, read } = nearing(950);
  await read(940);
  expect([poolState.mock.calls.length, record.readyAt]).toEqual([0, undefined]);
  await read(950);
  expect([poolState.mock.calls.length, record.readyAt, record.residency]).toEqual([1, 'now', 0.95]);
});

it('counts what is read behind a look that fell short, and looks no second time', async () => {
  const { record, poolState, read } = nearing(940);
  await read(955);
  await read(964);
  expect(record.readyAt).toBe(undefined);
  await read(965);
  expect([poolState.mock.calls.length, record.readyAt, record.residency]).toEqual([1, 'now', 0.95]);
});

it('is not ready where what was lost is more than what is left to read', async () => {
  const { record, poolState, read } = nearing(500);
  for (const done of [950, 975, 1_000]) await read(done);
  expect([poolState.mock.calls.length, record.readyAt]).toEqual([1, undefined]);
});

it('measures again when half of what was left is there, where it could not be measured', async () => {
  const { record, poolState, read } = nearing(980);
  poolState.mockRejectedValueOnce(new Error('the server is away'));
  for (const done of [960, 979]) await read(done);
  expect([poolState.mock.calls.length, record.readyAt]).toEqual([1, undefined]);
  await read(980);
  expect([poolState.mock.calls.length, record.readyAt, record.residency]).toEqual([2, 'now', 0.98]);
});
