import { describe, expect, it } from 'vitest';
import { lagsOf } from '../../../src/bench/cost/replay-lag.ts';
import { costFigures } from '../../../src/bench/cost/suite.ts';

describe('replay lag', () => {
  const primary = [
    { atMs: 0, position: 100 },
    { atMs: 50, position: 200 },
    { atMs: 100, position: 300 },
    { atMs: 150, position: 300 },
  ];

  it('is the age of the newest state that is replayed as a whole', () => {
    expect(lagsOf(primary, [{ atMs: 120, position: 250 }])).toEqual([70]);
    expect(lagsOf(primary, [{ atMs: 140, position: 299 }])).toEqual([90]);
  });

  it('is nothing where all is replayed, however long ago it was written', () => {
    expect(lagsOf(primary, [{ atMs: 500, position: 300 }])).toEqual([0]);
    expect(lagsOf(primary, [{ atMs: 60, position: 220 }])).toEqual([0]);
  });

  it('leaves out what cannot be told', () => {
    expect(lagsOf(primary, [{ atMs: 60, position: 90 }])).toEqual([]);
    expect(lagsOf([], [{ atMs: 60, position: 90 }])).toEqual([]);
  });
});

describe('figures for a comparison', () => {
  it('hold each pair of windows, and each look at the lag', () => {
    const run = {
      ...{ poolMb: 128, rate: 'installed' as const, cost: 0.01, between: [0, 0.02] as const },
      pairs: [
        { onTps: 99, offTps: 100, onP99Ms: 2, offP99Ms: 1, stolenShare: 0 },
        { onTps: 100, offTps: 100, onP99Ms: 1, offP99Ms: 1, stolenShare: 0 },
      ],
      setAside: [],
      cpuCores: { agent: 0.25, sessions: 0.5 },
      processors: 2,
    };
    const lag = { writesPerSecond: 100, written: 99, still: [1, 2], prewarming: [3], readyMs: 5 };
    expect(costFigures([run], [lag, lag]).map(({ of, name, values }) => [of, name, values])).toEqual([
      ['128 MB, installed', 'throughput at work ÷ still', [0.99, 1]],
      ['128 MB, installed', 'p99 at work ÷ still', [2, 1]],
      ['128 MB, installed', 'cores of agent and sessions', [0.75]],
      ['100 writes/s', 'lag while still, p99', [1, 2, 1, 2]],
      ['100 writes/s', 'lag while prewarming, p99', [3, 3]],
    ]);
  });
});
