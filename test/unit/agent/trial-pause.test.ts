import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ServerWatch } from '../../../src/agent/server-watch.ts';
import { TrialPause } from '../../../src/agent/trial-pause.ts';
import type { Engine, ServerHealth } from '../../../src/engines/engine.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';

/** Time passes only while all wait for it. */
class VirtualClock implements Clock {
  #nowMs = 0;
  #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  now = () => new Date(this.#nowMs);
  monotonicMs = () => this.#nowMs;

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => {
      this.#sleepers.push({ atMs: this.#nowMs + ms, wake });
    });
  }

  async pass<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const over = work.finally(() => {
      done = true;
    });
    for (;;) {
      await setImmediate();
      if (done) return over;
      this.#sleepers.sort((a, b) => a.atMs - b.atMs);
      const next = this.#sleepers.shift();
      if (next === undefined) throw new Error('all wait for ever');
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
    }
  }
}

/** A mock: a server whose residents run 200 statements a second, each as long as `latencyMs` says at its time. */
class MockServer {
  readonly #clock: Clock;
  readonly #latencyMs: () => number;
  /** Counts are read anew only so often. */
  readonly #countsEveryMs: number;
  #total = { ms: 0, calls: 0, reads: 0 };
  #shown = { ms: 0, calls: 0, reads: 0 };
  #atMs = 0;
  #shownMs = 0;
  looks = 0;

  constructor(clock: Clock, latencyMs: () => number, countsEveryMs = 0) {
    this.#clock = clock;
    this.#latencyMs = latencyMs;
    this.#countsEveryMs = countsEveryMs;
  }

  /** To be called before the latency changes. */
  catchUp(): void {
    const calls = (this.#clock.monotonicMs() - this.#atMs) / 5;
    this.#atMs = this.#clock.monotonicMs();
    this.#total = {
      ...this.#total,
      calls: this.#total.calls + calls,
      ms: this.#total.ms + calls * this.#latencyMs(),
    };
  }

  async health(): Promise<ServerHealth> {
    this.looks++;
    this.catchUp();
    if (this.#atMs - this.#shownMs >= this.#countsEveryMs) {
      this.#shown = this.#total;
      this.#shownMs = this.#atMs;
    }
    return { lagMs: 0, replaying: true, active: 2, ioWaiting: 0, statements: this.#shown };
  }
}

const slow = { latencyMs: 9, statements: 100, active: 2, ioWaiting: 0 };

/** A server that was watched for a while, then slows down: by reading, or by itself. */
async function slowed(by: 'reading' | 'itself', countsEveryMs = 0) {
  const clock = new VirtualClock();
  let readers = 0;
  let latencyMs = () => 1;
  const server = new MockServer(clock, () => latencyMs(), countsEveryMs);
  const engine = { identify: async () => ({}), health: () => server.health() } as unknown as Engine;
  const watch = new ServerWatch(engine, silentLogger, clock);
  await watch.look();
  await clock.pass(clock.sleep(1_000));
  await watch.look();
  server.catchUp();
  latencyMs = () => (by === 'itself' || readers > 0 ? 9 : 1);
  watch.warming();
  const trial = new TrialPause(watch, silentLogger, clock);
  const step = async (ms: number) => {
    server.catchUp();
    readers++;
    const end = trial.reading();
    await clock.sleep(ms);
    server.catchUp();
    readers--;
    end();
  };
  return { clock, server, trial, watch, step };
}

describe('a pause for a trial', () => {
  it('waits for what is at the disk, and finds that residents fare better without it', async () => {
    const { clock, trial, watch, step } = await slowed('reading');
    expect(watch.usual?.latencyMs).toBe(1);
    let ended = false;
    const reading = step(700).then(() => {
      ended = true;
    });
    const running = trial.run(slow);
    expect(trial.underWay).not.toBeNull();
    await clock.pass(running);
    await reading;
    expect(ended).toBe(true);
    expect(trial.underWay).toBeNull();
    expect(trial.cause).toMatchObject({ lies: 'reading', restingLatencyMs: 1 });
  });

  it('finds that they are as slow by themselves', async () => {
    const { clock, trial, step } = await slowed('itself');
    void step(300);
    await clock.pass(trial.run(slow));
    expect(trial.cause).toMatchObject({ lies: 'elsewhere', restingLatencyMs: 9 });
  });

  it('is one for all who ask meanwhile', async () => {
    const { clock, server, trial } = await slowed('itself');
    const before = server.looks;
    await clock.pass(Promise.all([trial.run(slow), trial.run(slow), trial.run(slow)]));
    const ofThree = server.looks - before;
    await clock.pass(trial.run(slow));
    expect(server.looks - before).toBe(2 * ofThree);
  });

  it('does not take counts of an earlier moment for those of the pause', async () => {
    const { clock, watch, trial, step } = await slowed('reading', 400);
    await clock.pass(step(1_000));
    await watch.look();
    await clock.pass(step(200));
    await clock.pass(trial.run(slow));
    expect(trial.cause).toMatchObject({ lies: 'reading', restingLatencyMs: 1 });
  });

  it('tells nothing where a step does not come to its end, and is over all the same', async () => {
    const { clock, trial } = await slowed('reading');
    const end = trial.reading();
    await clock.pass(trial.run(slow));
    expect(trial.cause).toMatchObject({ lies: 'unknown', restingLatencyMs: null });
    expect(trial.underWay).toBeNull();
    end();
  });
});

describe('what residents feel of a warming', () => {
  it('is told by looks that lie within it as a whole', async () => {
    const { clock, watch, step } = await slowed('reading');
    for (const felt of [{ latencyMs: null, statements: 0 }, { latencyMs: 9 }]) {
      await clock.pass(step(600));
      await watch.look();
      expect(watch.whileWarming).toMatchObject(felt);
    }
  });
});
