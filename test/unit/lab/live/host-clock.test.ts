import { expect, test } from 'vitest';
import type { AppReport } from '../../../../src/lab/app-messages.ts';
import { HostClock } from '../../../../src/lab/live/guest-links.ts';

/** As a guest sends it, by a clock of its own. */
const sample = (durationMs: number): AppReport => ({
  ...{ kind: 'sample', atMs: 5, durationMs, transactions: 3, failed: 0 },
  ...{ p50Ms: 1, p95Ms: 1, p99Ms: 1, maxMs: 1 },
});

test("samples get this machine's times, and the time in which the guest stood still is not lost", () => {
  const clock = new HostClock();
  expect(clock.stamp(sample(100), 1_000)).toMatchObject({ atMs: 900, durationMs: 100, transactions: 3 });
  expect(clock.stamp(sample(100), 1_100)).toMatchObject({ atMs: 1_000, durationMs: 100 });
  expect(clock.stamp(sample(100), 1_500)).toMatchObject({ atMs: 1_100, durationMs: 400 });
});

test('a switch was when its new connections took over', () => {
  const clock = new HostClock();
  const switched: AppReport = { kind: 'switched', atMs: 5, connectMs: 20, drainMs: 30 };
  expect(clock.stamp(switched, 1_000)).toEqual({ ...switched, atMs: 970 });
});
