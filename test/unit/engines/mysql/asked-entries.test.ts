import { expect, test } from 'vitest';
import { AskedEntries } from '../../../../src/engines/mysql/asked-entries.ts';

const values = (entries: readonly { readonly value: unknown }[]) => entries.map(({ value }) => value);

test('those that are asked again are such as questions have brought, spread over all of them', () => {
  const asked = new AskedEntries();
  expect(asked.someBrought(8)).toEqual([]);
  for (let value = 0; value < 32; value++) asked.add({ prefix: [], value, resident: value % 2 === 0 });
  expect(values(asked.someBrought(4))).toEqual([1, 9, 17, 25]);
});

test('the entries of the division serve where there are few others, and none is taken twice', () => {
  const asked = new AskedEntries();
  for (const value of [10, 20]) asked.addDivided({ prefix: [1], value });
  asked.add({ prefix: [1], value: 15, resident: false });
  asked.add({ prefix: [1], value: 16, resident: true });
  expect(values(asked.someBrought(8))).toEqual([15, 10, 20]);
  expect(asked.has([1], 20)).toBe(true);
  expect(asked.has([2], 20)).toBe(false);
});
