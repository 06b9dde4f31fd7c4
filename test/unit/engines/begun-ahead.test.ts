import { describe, expect, it } from 'vitest';
import { BegunAhead } from '../../../src/engines/begun-ahead.ts';
import type { Clock } from '../../../src/lib/clock.ts';

describe('a look that is begun ahead', () => {
  let nowMs = 0;
  const clock: Clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs, sleep: async () => {} };
  const any = () => true;

  /** Takes `forMs` of the clock's time. */
  const look = async (forMs: number) => {
    await Promise.resolve();
    nowMs += forMs;
    return 'seen';
  };

  it('is waited for, and serves once', async () => {
    const ahead = new BegunAhead<string>(clock);
    expect(await ahead.take(any)).toBeUndefined();
    ahead.begin(() => look(10));
    expect(await ahead.take(any)).toBe('seen');
    expect(await ahead.take(any)).toBeUndefined();
  });

  it.each([
    [10, 1_000, 'seen'],
    [10, 1_001, undefined],
    [3_000, 3_000, 'seen'],
    [3_000, 3_001, undefined],
  ])('that took %i ms is as good as a new one %i ms later: %s', async (took, later, expected) => {
    const ahead = new BegunAhead<string>(clock);
    const begun = look(took);
    ahead.begin(() => begun);
    await begun;
    await Promise.resolve();
    nowMs += later;
    expect(await ahead.take(any)).toBe(expected);
  });

  it('gives nothing where it does not serve, or failed', async () => {
    const ahead = new BegunAhead<string>(clock);
    ahead.begin(() => look(10));
    expect(await ahead.take((seen) => seen !== 'seen')).toBeUndefined();
    ahead.begin(async () => {
      throw new Error('no privilege');
    });
    expect(await ahead.take(any)).toBeUndefined();
  });
});
