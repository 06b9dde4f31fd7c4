import { expect, test } from 'vitest';
import { suites } from '../../../src/bench/suites.ts';

test('suites have names of their own', () => {
  const names = suites.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z-]+$/);
});

test.each(suites)('$name says what it will do, and takes longer in full', (suite) => {
  const { engines = ['postgres'], devices = ['none'] } = suite;
  const given = { engine: engines[0]!, device: devices[0]!, seed: 1 };
  const total = (quick: boolean) =>
    suite
      .stages({ ...given, quick, repetitions: quick ? 1 : suite.repetitions })
      .reduce((sum, { expectedMs }) => sum + expectedMs, 0);
  expect(total(true)).toBeGreaterThan(0);
  expect(total(false)).toBeGreaterThanOrEqual(total(true));
});
