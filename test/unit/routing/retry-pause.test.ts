import { expect, test } from 'vitest';
import { RetryPause } from '../../../src/routing/retry-pause.ts';

function clockAt(start: number) {
  let nowMs = start;
  return {
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    sleep: async () => {},
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

test('a pause doubles with each failure, up to its bound', () => {
  const pause = new RetryPause({ firstMs: 100, maxMs: 400 }, clockAt(0));
  expect(pause.leftMs).toBeLessThanOrEqual(0);
  for (const ceilingMs of [100, 200, 400, 400]) {
    pause.failed();
    expect(pause.leftMs).toBeGreaterThanOrEqual(ceilingMs / 2);
    expect(pause.leftMs).toBeLessThanOrEqual(ceilingMs);
  }
});

test('a new goal has no pause, and begins with the shortest one again', () => {
  const pause = new RetryPause({ firstMs: 100, maxMs: 400 }, clockAt(0));
  for (let count = 0; count < 5; count++) pause.failed();
  pause.reset();
  expect(pause.leftMs).toBeLessThanOrEqual(0);
  pause.failed();
  expect(pause.leftMs).toBeLessThanOrEqual(100);
});

test('a success that does not last is no success', () => {
  const clock = clockAt(0);
  const pause = new RetryPause({ firstMs: 100, maxMs: 400 }, clock);
  pause.failed();
  pause.failed();
  pause.succeeded();
  clock.pass(50);
  pause.failed();
  expect(pause.leftMs).toBeGreaterThanOrEqual(200);
  pause.succeeded();
  clock.pass(400);
  pause.failed();
  expect(pause.leftMs).toBeLessThanOrEqual(100);
});
