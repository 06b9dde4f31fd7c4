import { describe, expect, it } from 'vitest';
import { ServerWatch } from '../../../src/agent/server-watch.ts';
import type { Engine } from '../../../src/engines/engine.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';

/** A mock of a server: 100 statements, each as long as told, before every look. */
function watched() {
  let nowMs = 0;
  let latencyMs = 1;
  let looks = 0;
  const total = { calls: 0, ms: 0, reads: 0 };
  const engine = {
    identify: async () => ({}),
    health: async () => {
      looks += 1;
      total.calls += 100;
      total.ms += 100 * latencyMs;
      total.reads += 2;
      return { lagMs: 0, replaying: true, active: 1, ioWaiting: 0, statements: { ...total } };
    },
  } as unknown as Engine;
  const watch = new ServerWatch(engine, silentLogger, { ...systemClock, monotonicMs: () => nowMs });
  return {
    watch,
    looks: () => looks,
    pass: (ms: number) => {
      nowMs += ms;
    },
    slowDown: () => {
      latencyMs = 9;
    },
  };
}

describe('what residents feel while warming', () => {
  it('is told from its very beginning, with nothing of the time before', async () => {
    const { watch, looks, pass, slowDown } = watched();
    await watch.look();
    pass(1_000);
    await watch.look();
    pass(100);
    const end = watch.warming();
    await expect.poll(looks).toBe(3);
    expect(watch.whileWarming.latencyMs).toBeNull();
    slowDown();
    pass(400);
    await watch.look();
    expect(looks()).toBe(3);
    pass(100);
    await watch.look();
    expect(watch.whileWarming).toMatchObject({ latencyMs: 9, statements: 100 });
    expect(watch.usual).toMatchObject({ latencyMs: 1, readsPerStatement: 0.02 });

    const endOther = watch.warming();
    end();
    expect(watch.whileWarming.latencyMs).toBe(9);
    endOther();
    watch.warming();
    await expect.poll(looks).toBe(5);
    expect(watch.whileWarming.latencyMs).toBeNull();
  });
});
