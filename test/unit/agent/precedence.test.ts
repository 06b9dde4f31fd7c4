import { describe, expect, it } from 'vitest';
import { Precedence } from '../../../src/agent/precedence.ts';
import type { Clock } from '../../../src/lib/clock.ts';

/** Work that ends when told. */
function work() {
  let end = (_?: Error) => {};
  const done = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error));
  });
  return { done, end };
}

/** A clock whose sleeps end when it is moved, or when they are called off. */
function movedClock() {
  let nowMs = 0;
  const sleeping = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  const clock: Clock = {
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((wake) => {
        sleeping.add({ untilMs: nowMs + ms, wake });
        signal?.addEventListener('abort', () => wake(), { once: true });
      }),
  };
  const move = (ms: number) => {
    nowMs += ms;
    for (const { untilMs, wake } of sleeping) if (untilMs <= nowMs) wake();
  };
  return { clock, move };
}

const settle = async () => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** Moves the clock on, millisecond by millisecond, with all that this sets going. */
async function pass(move: (ms: number) => void, ms: number) {
  for (let i = 0; i < ms; i++) {
    move(1);
    await settle();
  }
}

describe('what goes before the work for migrations under way', () => {
  it('holds nobody up where nothing is urgent', async () => {
    const precedence = new Precedence();
    await precedence.turn('new');
    await expect(precedence.first(async () => 7)).resolves.toBe(7);
    await precedence.turn('new');
  });

  it('is waited for by all, who then go in the order of their coming', async () => {
    const { clock, move } = movedClock();
    const precedence = new Precedence(clock);
    const [one, two] = [work(), work()];
    const urgent = [precedence.first(() => one.done), precedence.first(() => two.done)];
    const gone: number[] = [];
    for (const i of [1, 2, 3]) void precedence.turn('new').then(() => gone.push(i));
    await settle();
    one.end();
    await settle();
    expect(gone).toEqual([]);
    two.end();
    await settle();
    await pass(move, 40);
    expect(gone).toEqual([1, 2, 3]);
    await Promise.all(urgent);
  });

  it('keeps them apart while more of it is to be expected, and no longer', async () => {
    const { clock, move } = movedClock();
    const precedence = new Precedence(clock);
    await precedence.first(async () => {});
    const gone: number[] = [];
    for (let i = 0; i < 20; i++) void precedence.turn('new').then(() => gone.push(i));
    await settle();
    expect(gone).toEqual([0]);
    await pass(move, 60);
    expect(gone.length).toBeGreaterThan(2);
    expect(gone.length).toBeLessThanOrEqual(5);
    await pass(move, 60);
    expect(gone.length).toBe(20);
  });

  it('lets a migration that was begun go before a new one', async () => {
    const precedence = new Precedence();
    const one = work();
    void precedence.first(() => one.done);
    const gone: string[] = [];
    const turns = (['new', 'begun', 'new', 'begun'] as const).map((of) =>
      precedence.turn(of).then(() => gone.push(of)),
    );
    one.end();
    await Promise.all(turns);
    expect(gone).toEqual(['begun', 'begun', 'new', 'new']);
  });

  it('goes before those who wait for their turn behind others too', async () => {
    const { clock, move } = movedClock();
    const precedence = new Precedence(clock);
    const [one, two] = [work(), work()];
    void precedence.first(() => one.done);
    const gone: number[] = [];
    void precedence.turn('new').then(() => {
      gone.push(1);
      void precedence.first(() => two.done);
    });
    void precedence.turn('new').then(() => gone.push(2));
    one.end();
    await settle();
    expect(gone).toEqual([1]);
    two.end();
    await settle();
    await pass(move, 20);
    expect(gone).toEqual([1, 2]);
  });

  it('is not waited for longer than a second, whatever became of it', async () => {
    const { clock, move } = movedClock();
    const precedence = new Precedence(clock);
    const stuck = work();
    void precedence.first(() => stuck.done);
    const gone: string[] = [];
    void precedence.turn('new').then(() => gone.push('first'));
    await settle();
    move(600);
    void precedence.turn('new').then(() => gone.push('second'));
    await settle();
    move(401);
    await settle();
    expect(gone).toEqual(['first']);
    move(600);
    await settle();
    expect(gone).toEqual(['first', 'second']);
    stuck.end();
  });

  it('that fails, fails for who asked for it alone', async () => {
    const precedence = new Precedence();
    const failing = work();
    const urgent = precedence.first(() => failing.done);
    const turn = precedence.turn('new');
    failing.end(new Error('NATS is away'));
    await expect(urgent).rejects.toThrow('NATS is away');
    await turn;
  });
});
