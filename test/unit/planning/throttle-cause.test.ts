import { describe, expect, it } from 'vitest';
import type { Cause, Felt } from '../../../src/planning/throttle.ts';
import { judgeTrial } from '../../../src/planning/throttle-cause.ts';

const felt = (latencyMs: number | null, changes: Partial<Felt> = {}): Felt => ({
  ...{ latencyMs, statements: 40, active: 8, ioWaiting: 0 },
  ...changes,
});
const judged = (reading: Felt, resting: Felt | null, before: Cause | null = null, endedMs = 1_000) =>
  judgeTrial(before, { baselineLatencyMs: 1, reading, resting, endedMs });

describe('a trial without reading', () => {
  it('holds reading for the cause where residents fare better without it', () => {
    expect(judged(felt(4), felt(1.2))).toMatchObject({ lies: 'reading', restingLatencyMs: 1.2 });
    expect(judged(felt(10), felt(5))).toMatchObject({ lies: 'reading' });
    const waiting = felt(1, { ioWaiting: 7 });
    expect(judged(waiting, felt(1))).toMatchObject({ lies: 'reading', restingWaits: false });
  });

  it('does not where they fare no better', () => {
    expect(judged(felt(4), felt(3.6))).toMatchObject({ lies: 'elsewhere', restingLatencyMs: 3.6 });
    expect(judged(felt(4), felt(9))).toMatchObject({ lies: 'elsewhere' });
    const waiting = felt(1, { ioWaiting: 7 });
    expect(judged(waiting, waiting)).toMatchObject({ lies: 'elsewhere', restingWaits: true });
  });

  it('holds reading for the cause where one of two complaints is gone', () => {
    const waiting = felt(4, { ioWaiting: 7 });
    expect(judged(waiting, felt(1, { ioWaiting: 7 })).lies).toBe('reading');
    expect(judged(waiting, felt(4)).lies).toBe('reading');
  });

  it('tells nothing where too little ran in it, or nothing could be measured', () => {
    expect(judged(felt(4), felt(4, { statements: 5 }))).toMatchObject({
      ...{ lies: 'unknown', restingLatencyMs: null },
    });
    expect(judged(felt(4), felt(null))).toMatchObject({ lies: 'unknown' });
    expect(judged(felt(4), null)).toMatchObject({ lies: 'unknown', restingWaits: null });
  });

  it('holds for longer the more often it finds no fault with reading, up to a bound', () => {
    const holds: number[] = [];
    let cause: Cause | null = null;
    for (let trial = 0; trial < 6; trial++) {
      cause = judged(felt(4), felt(4), cause, cause?.untilMs ?? 0);
      holds.push(cause.untilMs - cause.judgedMs);
    }
    expect(holds).toEqual([4_000, 8_000, 16_000, 32_000, 32_000, 32_000]);
  });

  it('begins anew after it found reading to be the cause, and after a long time', () => {
    const long = judged(felt(4), felt(4), judged(felt(4), felt(4)));
    const holdOf = ({ untilMs, judgedMs }: Cause) => untilMs - judgedMs;
    expect(holdOf(long)).toBe(8_000);
    const guilty = judged(felt(4), felt(1), long, long.untilMs);
    expect(holdOf(guilty)).toBe(4_000);
    expect(holdOf(judged(felt(4), felt(4), guilty, guilty.untilMs))).toBe(4_000);
    expect(holdOf(judged(felt(4), felt(4), long, long.untilMs + 8_000))).toBe(4_000);
  });
});
