import { expect, test } from 'vitest';
import { type CoordinationRun, runCoordination } from '../../src/bench/coordination/coordination.ts';
import { isLost } from '../../src/bench/coordination/figures.ts';
import { fullSettings } from '../../src/bench/coordination/settings.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';

/** The benchmark of coordination in small, for its counts alone. */

const settings = {
  ...{ ...fullSettings, seed: 7, replicas: 20, vms: 100, intents: 40, overMs: 2_000 },
  ...{ processes: 3, idleMs: 1_000, moveMs: 200 },
};

test('no intent is lost and each is accepted once, also when a third of the agents is killed', async () => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let run: CoordinationRun;
  try {
    run = await runCoordination(settings, { owned, onStage: () => {} });
  } finally {
    await owned.dispose();
  }
  expect(run.errors).toEqual([]);
  expect(run.rounds.map(({ name }) => name)).toEqual(['steady', 'killed']);
  for (const { traces } of run.rounds) {
    expect(traces).toHaveLength(settings.intents);
    expect(traces.filter(isLost)).toEqual([]);
    expect(traces.filter(({ storedAcceptances }) => storedAcceptances !== 1)).toEqual([]);
    // Every migration read at its target, and its VM went there.
    expect(traces.filter(({ firstReadMs }) => firstReadMs === undefined)).toEqual([]);
  }
  const killed = run.rounds[1]!.traces.filter((trace) => trace.killed);
  expect(killed.length).toBeGreaterThan(0);
}, 120_000);
