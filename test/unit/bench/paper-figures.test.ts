import { expect, test } from 'vitest';
import { paperSettings } from '../../../src/bench/paper.ts';
import { meanRate, meansOf } from '../../../src/bench/paper-figures.ts';

const settings = paperSettings({
  ...{ engine: 'postgres', device: 'gp3', quick: true, seed: 1, repetitions: 1 },
});

/** 100 ms each, from the begin of the load on. */
const points = (before: number, after: number, switchedMs: number) =>
  Array.from({ length: 100 }, (_, i) => {
    const atMs = i * 100 - settings.beforeMs;
    return { atMs, durationMs: 100, bytes: atMs < switchedMs ? before : after };
  });

test('a mean rate is the bytes of the points that begin within, by their own durations', () => {
  const some = [
    { atMs: 0, durationMs: 100, bytes: 10 },
    { atMs: 100, durationMs: 300, bytes: 10 },
    { atMs: 400, durationMs: 100, bytes: 1_000 },
  ];
  expect(meanRate(some, { fromMs: 0, toMs: 400 })).toBe(50);
  expect(meanRate(some, { fromMs: 600, toMs: 700 })).toBeUndefined();
});

test("a run's means are one VM's, before the migration and from the last switch on", () => {
  const means = meansOf(
    {
      ...{ load: 'sequence', vmCount: 6, pattern: 'c', repetition: 1, failedQueries: 0 },
      read: [
        { vm: 'app4', points: points(100, 10, 1_000) },
        { vm: 'app5', points: points(300, 30, 1_000) },
      ],
      disks: { source: [], target: points(0, 50, 1_000) },
      switchedMs: [900, 1_000],
    },
    settings,
  );
  expect(means).toEqual({
    ...{ readBefore: 2_000, readFirst: 200, readAfter: 200, diskBefore: undefined, diskAfter: 500 },
  });
});
