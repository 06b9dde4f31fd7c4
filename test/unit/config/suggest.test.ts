import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, suggest } from '../../../src/config/suggest.ts';

test('distances: insert, delete, replace, swap', () => {
  expect(editDistance('url', 'urll')).toBe(1);
  expect(editDistance('user', 'usr')).toBe(1);
  expect(editDistance('host', 'most')).toBe(1);
  expect(editDistance('listen', 'lisetn')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
});

test('distance is symmetric, and 0 only for equal words', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
    }),
  );
});

test('the nearest word, whatever its case and dashes; none when all are far', () => {
  expect(suggest('application_name', ['user', 'applicationName'])).toBe('applicationName');
  expect(suggest('databse', ['database', 'replica'])).toBe('database');
  expect(suggest('colour', ['database', 'replica'])).toBeUndefined();
});
