import { expect, test } from 'vitest';
import { OldInUse } from '../../../../src/engines/mysql/old-in-use.ts';
import type { Clock } from '../../../../src/lib/clock.ts';

function at() {
  let now = 0;
  const clock = { monotonicMs: () => now } as Clock;
  const use = new OldInUse(clock);
  return {
    use,
    /** Looks every two seconds for so long, while so many pages a second become young. */
    rest(seconds: number, perSecond: number, from: number): number {
      let young = from;
      for (let s = 0; s <= seconds; s += 2) {
        use.look(young);
        if (s === seconds) break;
        now += 2_000;
        young += 2 * perSecond;
      }
      return young;
    },
    wait(seconds: number) {
      now += seconds * 1_000;
    },
  };
}

test('as many pages are in use as usually become young within fifteen seconds', () => {
  const { use, rest } = at();
  expect(use.pages).toBe(0);
  rest(10, 100, 5_000);
  expect(use.pages).toBe(1_500);
});

test('who makes its pages young once, as it begins, is not taken for one that has no room', () => {
  const { use, rest } = at();
  const young = rest(4, 0, 0);
  const begun = rest(2, 500, young);
  rest(4, 0, begun);
  expect(use.pages).toBe(0);
});

test('looks that follow each other at once are one', () => {
  const { use, rest, wait } = at();
  rest(10, 100, 0);
  wait(0.1);
  use.look(1_100);
  expect(use.pages).toBe(1_500);
});

test('who becomes calm is known to be calm after ten seconds', () => {
  const { use, rest } = at();
  const young = rest(20, 100, 0);
  rest(4, 0, young);
  expect(use.pages).toBe(1_500);
  rest(10, 0, young);
  expect(use.pages).toBe(0);
});

test('what becomes young while we read is not counted, and what was known stays', () => {
  const { use, rest, wait } = at();
  rest(10, 100, 0);
  const ended = use.disturb();
  wait(2);
  use.look(50_000);
  wait(2);
  use.look(90_000);
  expect(use.pages).toBe(1_500);
  ended();
  // What is read at once afterwards is still let in as young.
  use.look(90_100);
  wait(2);
  rest(6, 50, 100_000);
  expect(use.pages).toBe(750);
});

test('one read that is done leaves another under way', () => {
  const { use, rest, wait } = at();
  rest(10, 100, 0);
  const [one, two] = [use.disturb(), use.disturb()];
  one();
  wait(5);
  rest(6, 1_000, 50_000);
  expect(use.pages).toBe(1_500);
  two();
  wait(1);
  rest(6, 10, 80_000);
  expect(use.pages).toBe(150);
});

test('a server that was started again counts from the start', () => {
  const { use, rest } = at();
  rest(10, 100, 1_000_000);
  rest(10, 30, 0);
  expect(use.pages).toBe(450);
});
