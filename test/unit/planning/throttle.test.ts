import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Cause,
  decideThrottle,
  defaultThrottleOptions,
  type ThrottleInput,
} from '../../../src/planning/throttle.ts';
import { judgeTrial } from '../../../src/planning/throttle-cause.ts';

const calm: ThrottleInput = {
  ...{ baselineLatencyMs: 2, latencyMs: 2.1, statements: 500, active: 8, ioWaiting: 1 },
  ...{ lagMs: 50, lagLimitMs: 1000, untilDeadlineMs: 60_000, remainingMs: 3000 },
  ...{ arrived: false, chunkMs: 100, nowMs: 10_000 },
  cause: {
    ...{ lies: 'reading', restingLatencyMs: 2, restingWaits: false },
    ...{ judgedMs: 9_000, untilMs: 13_000 },
  },
};
const elsewhere: Cause = { ...calm.cause!, lies: 'elsewhere', restingLatencyMs: 6 };
const decide = (changes: Partial<ThrottleInput>) => decideThrottle({ ...calm, ...changes });

describe('the throttle', () => {
  it('goes on while residents are well', () => {
    expect(decide({})).toMatchObject({ action: 'go', pauseMs: 0, reason: 'none' });
  });

  it('goes on where nothing is known', () => {
    expect(decide({ baselineLatencyMs: null, latencyMs: null, lagMs: null })).toMatchObject({ action: 'go' });
  });

  it('pauses the longer the slower the residents have become, and says by how much', () => {
    const soft = decide({ latencyMs: 4 });
    const worse = decide({ latencyMs: 6 });
    expect(soft).toMatchObject({ action: 'pause', reason: 'residents_latency', pauseMs: 200 });
    expect(worse.pauseMs).toBe(600);
    expect(soft.detail).toBe("residents' statements take 4.00 ms, 2.00 ms otherwise");
  });

  it('hardly pauses for residents that are hardly slower than may be', () => {
    expect(decide({ latencyMs: 3.01 })).toMatchObject({ action: 'pause', pauseMs: 2 });
    expect(decide({ latencyMs: 3.01, untilDeadlineMs: 0 })).toMatchObject({
      reason: 'deadline_near',
      pauseMs: 2,
    });
  });

  it('tries what becomes of slow residents without reading, before it pauses for them', () => {
    for (const cause of [null, { ...calm.cause!, untilMs: 10_000 }]) {
      expect(decide({ cause, latencyMs: 4 })).toMatchObject({ action: 'try', reason: 'trial' });
      expect(decide({ cause, ioWaiting: 5 })).toMatchObject({ action: 'try', reason: 'trial' });
      expect(decide({ cause })).toMatchObject({ action: 'go', reason: 'none' });
      expect(decide({ cause, latencyMs: 4, arrived: true }).action).toBe('go');
    }
  });

  it('does not pause for residents that are as slow without reading', () => {
    expect(decide({ cause: elsewhere, latencyMs: 7 })).toMatchObject({ action: 'go', reason: 'elsewhere' });
    expect(decide({ cause: elsewhere, latencyMs: 7, untilDeadlineMs: 0 }).action).toBe('go');
    const waits = { ...elsewhere, restingWaits: true };
    expect(decide({ cause: waits, ioWaiting: 7 })).toMatchObject({ action: 'go', reason: 'elsewhere' });
  });

  it('tries again, but not at once, when they are slower than without reading or wait for I/O', () => {
    const earlier = { ...elsewhere, judgedMs: 8_000 };
    for (const changes of [{ latencyMs: 13 }, { ioWaiting: 7 }]) {
      expect(decide({ cause: elsewhere, ...changes })).toMatchObject({ action: 'go', reason: 'elsewhere' });
      expect(decide({ cause: earlier, ...changes })).toMatchObject({ action: 'try', reason: 'trial' });
    }
  });

  it('pauses at once when they are far slower than without reading', () => {
    expect(decide({ cause: elsewhere, latencyMs: 24 })).toMatchObject({
      ...{ action: 'pause', reason: 'residents_latency', pauseMs: 800 },
    });
  });

  it('holds residents against what they are without reading, where that is slower than they were', () => {
    const cause: Cause = { ...calm.cause!, restingLatencyMs: 4 };
    expect(decide({ cause, latencyMs: 5 })).toMatchObject({ action: 'go', reason: 'none' });
    expect(decide({ cause, latencyMs: 8 })).toMatchObject({ action: 'pause', pauseMs: 200 });
  });

  it('does not pause for waits for I/O that were there without reading too, though residents were slower with it', () => {
    const cause: Cause = { ...calm.cause!, restingWaits: true };
    expect(decide({ cause, ioWaiting: 7 })).toMatchObject({ action: 'go', reason: 'none' });
    const slower = decide({ cause, ioWaiting: 7, latencyMs: 3.1 });
    expect(slower.reason).toBe('residents_latency');
    expect(slower.pauseMs).toBeLessThan(30);
  });

  it('says of waits for I/O that they brake, where residents are no slower than without reading', () => {
    const cause: Cause = { ...calm.cause!, restingLatencyMs: 6 };
    const near = decide({ cause, latencyMs: 7, ioWaiting: 7, untilDeadlineMs: 0 });
    expect(near).toMatchObject({ reason: 'deadline_near', detail: expect.stringContaining('7 of 8 active') });
  });

  it('does not take a few statements, or ones that are fast anyway, for a slow-down', () => {
    expect(decide({ latencyMs: 40, statements: 3 }).action).toBe('go');
    expect(decide({ baselineLatencyMs: 0.05, latencyMs: 0.4 }).action).toBe('go');
  });

  it('pauses when most sessions wait for I/O', () => {
    expect(decide({ ioWaiting: 5 })).toMatchObject({ action: 'pause', reason: 'io_wait', pauseMs: 200 });
    expect(decide({ ioWaiting: 5, latencyMs: 3.5 })).toMatchObject({ reason: 'io_wait', pauseMs: 200 });
    expect(decide({ ioWaiting: 5, latencyMs: 6 })).toMatchObject({
      reason: 'residents_latency',
      pauseMs: 600,
    });
    expect(decide({ active: 1, ioWaiting: 1 }).action).toBe('go');
  });

  it('pauses for replay lag whatever the deadline or the arrival says', () => {
    for (const changes of [{}, { untilDeadlineMs: 0 }, { arrived: true }]) {
      expect(decide({ lagMs: 1500, ...changes })).toMatchObject({ action: 'pause', reason: 'replay_lag' });
    }
  });

  it('keeps half its pace near the deadline, and leaves the residents the other half', () => {
    const near = { untilDeadlineMs: 4000 };
    expect(decide({ latencyMs: 4, ...near })).toMatchObject({ reason: 'deadline_near', pauseMs: 100 });
    expect(decide({ ioWaiting: 7, ...near })).toMatchObject({ reason: 'deadline_near', pauseMs: 100 });
    expect(decide({ latencyMs: 4, untilDeadlineMs: -100 }).reason).toBe('deadline_near');
  });

  it('does not let a deadline override residents that suffer badly', () => {
    const decision = decide({ latencyMs: 12, untilDeadlineMs: 100 });
    expect(decision).toMatchObject({ reason: 'residents_latency', pauseMs: 800 });
  });

  it("after arrival does not brake for the VM's own waits", () => {
    expect(decide({ arrived: true, latencyMs: 50, ioWaiting: 8 })).toMatchObject({
      action: 'go',
      reason: 'arrived',
    });
  });

  const maybe = fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }));
  const anyCause = fc.record({
    lies: fc.constantFrom('reading' as const, 'elsewhere' as const, 'unknown' as const),
    ...{ restingLatencyMs: maybe, restingWaits: fc.option(fc.boolean()) },
    ...{ judgedMs: fc.nat(10_000), untilMs: fc.nat(40_000) },
  });
  const input = fc.record({
    ...{ baselineLatencyMs: maybe, latencyMs: maybe, lagMs: maybe, untilDeadlineMs: maybe },
    ...{ statements: fc.nat(1000), active: fc.nat(100), ioWaiting: fc.nat(100), arrived: fc.boolean() },
    ...{ lagLimitMs: fc.nat(10_000), remainingMs: fc.nat(100_000), chunkMs: fc.nat(20_000) },
    ...{ cause: fc.option(anyCause), nowMs: fc.nat(20_000) },
  });

  it('never pauses beyond its bounds, and never pauses without a reason', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { action, pauseMs, reason, detail } = decideThrottle(given);
        expect(pauseMs).toBeGreaterThanOrEqual(0);
        expect(pauseMs).toBeLessThanOrEqual(defaultThrottleOptions.maxPauseMs);
        expect(pauseMs).toBeLessThanOrEqual(8 * Math.max(1, given.chunkMs));
        expect(pauseMs > 0).toBe(action === 'pause');
        if (action === 'pause') expect(['none', 'arrived', 'elsewhere', 'trial']).not.toContain(reason);
        expect(action === 'try').toBe(reason === 'trial');
        expect(detail).not.toBe('');
      }),
    );
  });

  it('pauses for residents only while a trial holds reading for the cause, or they are far slower than in it', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { action, reason } = decideThrottle(given);
        if (action !== 'pause' || reason === 'replay_lag') return;
        const { cause, nowMs, latencyMs, baselineLatencyMs } = given;
        expect(cause).not.toBeNull();
        expect(nowMs).toBeLessThan(cause!.untilMs);
        if (cause!.lies === 'elsewhere') {
          const { severeLatencyRatio } = defaultThrottleOptions;
          const otherwise = Math.max(baselineLatencyMs!, cause!.restingLatencyMs ?? 0);
          expect(latencyMs!).toBeGreaterThanOrEqual(severeLatencyRatio * otherwise);
        }
      }),
    );
  });

  it('does not ask for another trial at once, whatever the first one told', () => {
    const felt = fc.option(
      fc.record({
        latencyMs: maybe,
        ...{ statements: fc.nat(100), active: fc.nat(9), ioWaiting: fc.nat(9) },
      }),
    );
    fc.assert(
      fc.property(input, felt, (given, resting) => {
        const { baselineLatencyMs, cause: before, nowMs: endedMs } = given;
        const cause = judgeTrial(before, { baselineLatencyMs, reading: given, resting, endedMs });
        expect(decideThrottle({ ...given, cause }).action).not.toBe('try');
      }),
    );
  });
});
