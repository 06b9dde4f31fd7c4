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

describe('what goes before the work for migrations under way', () => {
  it('holds nobody up where nothing is urgent', async () => {
    const precedence = new Precedence();
    await precedence.turn();
    await expect(precedence.first(async () => 7)).resolves.toBe(7);
    await precedence.turn();
  });

  it('is waited for by all, who then go in the order of their coming', async () => {
    const { clock } = movedClock();
    const precedence = new Precedence(clock);
    const [one, two] = [work(), work()];
    const urgent = [precedence.first(() => one.done), precedence.first(() => two.done)];
    const gone: number[] = [];
    for (const i of [1, 2, 3]) void precedence.turn().then(() => gone.push(i));
    await settle();
    one.end();
    await settle();
    expect(gone).toEqual([]);
    two.end();
    await settle();
    expect(gone).toEqual([1, 2, 3]);
    await Promise.all(urgent);
  });

  it('goes before those who wait for their turn behind others too', async () => {
    const { clock } = movedClock();
    const precedence = new Precedence(clock);
    const [one, two] = [work(), work()];
    void precedence.first(() => one.done);
    const gone: number[] = [];
    void precedence.turn().then(() => {
      gone.push(1);
      void precedence.first(() => two.done);
    });
    void precedence.turn().then(() => gone.push(2));
    one.end();
    await settle();
    expect(gone).toEqual([1]);
    two.end();
    await settle();
    expect(gone).toEqual([1, 2]);
  });

  it('is not waited for longer than a second, whatever became of it', async () => {
    const { clock, move } = movedClock();
    const precedence = new Precedence(clock);
    const stuck = work();
    void precedence.first(() => stuck.done);
    const gone: string[] = [];
    void precedence.turn().then(() => gone.push('first'));
    await settle();
    move(600);
    void precedence.turn().then(() => gone.push('second'));
    await settle();
    move(401);
    await settle();
    expect(gone).toEqual(['first']);
    move(600);
    await settle();
    expect(gone).toEqual(['first', 'second']);
    stuck.end();
    await precedence.turn();
  });

  it('that fails, fails for who asked for it alone', async () => {
    const precedence = new Precedence();
    const failing = work();
    const urgent = precedence.first(() => failing.done);
    const turn = precedence.turn();
    failing.end(new Error('NATS is away'));
    await expect(urgent).rejects.toThrow('NATS is away');
    await turn;
  });
});
