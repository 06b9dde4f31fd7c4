import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideThrottle,
  defaultThrottleOptions,
  type ThrottleInput,
} from '../../../src/planning/throttle.ts';

const calm: ThrottleInput = {
  ...{ baselineLatencyMs: 2, latencyMs: 2.1, statements: 500, active: 8, ioWaiting: 1 },
  ...{ lagMs: 50, lagLimitMs: 1000, untilDeadlineMs: 60_000, remainingMs: 3000 },
  ...{ arrived: false, chunkMs: 100 },
};
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
    expect(soft).toMatchObject({ action: 'pause', reason: 'residents_latency', pauseMs: 400 });
    expect(worse.pauseMs).toBe(600);
    expect(soft.detail).toBe("residents' statements take 4.00 ms, 2.00 ms before");
  });

  it('does not take a few statements, or ones that are fast anyway, for a slow-down', () => {
    expect(decide({ latencyMs: 40, statements: 3 }).action).toBe('go');
    expect(decide({ baselineLatencyMs: 0.05, latencyMs: 0.4 }).action).toBe('go');
  });

  it('pauses when most sessions wait for I/O', () => {
    expect(decide({ ioWaiting: 5 })).toMatchObject({ action: 'pause', reason: 'io_wait', pauseMs: 200 });
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
    expect(decision).toMatchObject({ reason: 'residents_latency', pauseMs: 600 });
  });

  it("after arrival does not brake for the VM's own waits", () => {
    expect(decide({ arrived: true, latencyMs: 50, ioWaiting: 8 })).toMatchObject({
      action: 'go',
      reason: 'arrived',
    });
  });

  it('never pauses beyond its bounds, and never pauses without a reason', () => {
    const maybe = fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }));
    const input = fc.record({
      ...{ baselineLatencyMs: maybe, latencyMs: maybe, lagMs: maybe, untilDeadlineMs: maybe },
      ...{ statements: fc.nat(1000), active: fc.nat(100), ioWaiting: fc.nat(100), arrived: fc.boolean() },
      ...{ lagLimitMs: fc.nat(10_000), remainingMs: fc.nat(100_000), chunkMs: fc.nat(20_000) },
    });
    fc.assert(
      fc.property(input, (given) => {
        const { action, pauseMs, reason, detail } = decideThrottle(given);
        expect(pauseMs).toBeGreaterThanOrEqual(0);
        expect(pauseMs).toBeLessThanOrEqual(defaultThrottleOptions.maxPauseMs);
        expect(pauseMs).toBeLessThanOrEqual(8 * Math.max(1, given.chunkMs));
        expect(pauseMs > 0).toBe(action === 'pause');
        if (action === 'pause') expect(['none', 'arrived']).not.toContain(reason);
        expect(detail).not.toBe('');
      }),
    );
  });
});
