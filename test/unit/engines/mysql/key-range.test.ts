import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Key } from '../../../../src/engines/mysql/key-division.ts';
import { type Condition, compare, rangeCondition } from '../../../../src/engines/mysql/key-range.ts';
import type { Bound } from '../../../../src/engines/mysql/key-space.ts';

type Row = readonly (number | null)[];
const names = ['a', 'b', 'c'];
const columns = names.map((name) => ({ name }));

/** Evaluates a condition as SQL would: NULL compares to nothing. */
function holds({ text, values }: Condition, row: Row): boolean {
  let at = 0;
  const source = text
    .replace(/`([abc])` IS NULL/g, (_, name: string) => `(row[${names.indexOf(name)}] === null)`)
    .replace(/`([abc])` (=|>=|>|<) \?/g, (_, name: string, operator: string) => {
      const column = names.indexOf(name);
      const sign = operator === '=' ? '===' : operator;
      return `(row[${column}] !== null && row[${column}] ${sign} ${Number(values[at++])})`;
    })
    .replaceAll(' AND ', ' && ')
    .replaceAll(' OR ', ' || ')
    .replaceAll('TRUE', 'true');
  return new Function('row', `return ${source};`)(row) as boolean;
}

/** As the index has it: NULLs first, column by column. */
function order(row: Row, key: Key): number {
  for (const [column, value] of key.entries()) {
    const difference = (row[column] ?? Number.NEGATIVE_INFINITY) - Number(value);
    if (difference !== 0) return difference;
  }
  return 0;
}

describe('the condition of a stretch of an index', () => {
  const key = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 });
  const value = fc.option(fc.integer({ min: 0, max: 3 }), { nil: null });

  it('holds for the rows between its bounds, NULLs first, and no other', () => {
    fc.assert(
      fc.property(
        key,
        fc.oneof(key, fc.constant('end' as const)),
        fc.tuple(value, value, value),
        (lower, end, row) => {
          const upper: Bound = end !== 'end' && end.length === 0 ? 'end' : end;
          if (upper !== 'end' && lower.length > 0 && order(lower, upper) >= 0) return;
          const within =
            (lower.length === 0 || order(row, lower) >= 0) && (upper === 'end' || order(row, upper) < 0);
          expect(holds(rangeCondition(columns, lower, upper), row)).toBe(within);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('quotes names and leaves values to the driver', () => {
    expect(rangeCondition([{ name: 'odd`name' }], ["x' OR 1"], 'end')).toEqual({
      text: '((`odd``name` >= ?))',
      values: ["x' OR 1"],
    });
  });

  it('names the members of an ENUM, for their texts have another order than the index', () => {
    const state = { name: 'state', members: ['open', 'held', 'closed'] };
    const id = { name: 'id' };
    expect(rangeCondition([state, id], ['open', 7], ['closed', 3])).toEqual({
      text:
        '((`state` IN (?, ?)) OR (`state` = ? AND `id` >= ?)) AND ' +
        '(((`state` IN (?, ?)) OR (`state` = ? AND `id` < ?)) OR (`state` = ? AND `id` IS NULL))',
      values: ['held', 'closed', 'open', 7, 'open', 'held', 'closed', 3, 'closed'],
    });
    expect(rangeCondition([state], ['closed'], 'end')).toEqual({
      text: '((`state` IN (?)))',
      values: ['closed'],
    });
    expect(compare(state, '>', 'closed')).toEqual({ text: 'FALSE', values: [] });
  });
});
