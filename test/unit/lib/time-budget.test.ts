import { expect, it } from 'vitest';
import { TimeBudget } from '../../../src/lib/time-budget.ts';

function setUp() {
  let nowMs = 0;
  const clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs, sleep: async () => {} };
  const budget = new TimeBudget({ clock, share: 0.01, burstMs: 100 });
  const work = (ms: number) => async () => {
    nowMs += ms;
  };
  return { budget, work, pass: (ms: number) => (nowMs += ms) };
}

it('lets a burst through, then no more than its part of the time', async () => {
  const { budget, work, pass } = setUp();
  expect(await budget.spend(work(60))).toBe(true);
  expect(await budget.spend(work(60))).toBe(true);
  expect(await budget.spend(work(1))).toBe(false);
  pass(1_000);
  expect(await budget.spend(work(1))).toBe(false);
  pass(2_000);
  expect(await budget.spend(work(30))).toBe(true);
});

it('does not count what the work slept, and saves up no more than a burst', async () => {
  const { budget, work, pass } = setUp();
  for (let i = 0; i < 50; i++) expect(await budget.spend(work(10), 9)).toBe(true);
  pass(1_000_000);
  for (let i = 0; i < 4; i++) expect(await budget.spend(work(25))).toBe(true);
  expect(await budget.spend(work(1))).toBe(true);
});

it('takes one long run for waiting, and a row of them for what the work takes', async () => {
  const { budget, work } = setUp();
  for (let i = 0; i < 5; i++) await budget.spend(work(2));
  expect(await budget.spend(work(500))).toBe(true);
  for (let i = 0; i < 5; i++) expect(await budget.spend(work(60))).toBe(true);
  expect(await budget.spend(work(60))).toBe(false);
});

it('counts what must be, and saves up for it before anything else is run', async () => {
  const { budget, work, pass } = setUp();
  await budget.run(work(300));
  expect(budget.isSpent).toBe(true);
  pass(19_000);
  expect(budget.isSpent).toBe(true);
  pass(1_000);
  expect(budget.isSpent).toBe(false);
});
