import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dives, Key } from '../../../../src/engines/mysql/key-division.ts';
import { type Bound, KeySpace } from '../../../../src/engines/mysql/key-space.ts';
import type { KeyValue, ValueType } from '../../../../src/engines/mysql/key-values.ts';

type Row = readonly KeyValue[];

const order = (type: ValueType) => (a: KeyValue, b: KeyValue) =>
  type === 'integer' ? Number(a) - Number(b) : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;

type Estimate = (rows: number, all: number) => number;
/** As InnoDB does: what is long counts twice, and for half of the table at most. */
const likeInnodb: Estimate = (rows, all) => (rows < 10 ? rows : Math.min(2 * rows, all / 2));

/** An index in memory, sorted. */
function indexOf(rows: readonly Row[], types: readonly ValueType[], estimate: Estimate) {
  let dives = 0;
  const compare = (row: Row, key: Key) => {
    for (const [column, value] of key.entries()) {
      const difference = order(types[column]!)(row[column]!, value);
      if (difference !== 0) return difference;
    }
    return 0;
  };
  const sorted = [...rows].sort(compare);
  const within = (lower: Key, upper: Key) =>
    sorted.filter(
      (row) =>
        (lower.length === 0 || compare(row, lower) >= 0) && (upper.length === 0 || compare(row, upper) < 0),
    );
  const under = (prefix: Key) => sorted.filter((row) => compare(row, prefix) === 0);
  const index: Dives = {
    least: async (prefix, from) => {
      dives++;
      const column = prefix.length;
      return under(prefix).find((row) => {
        if (from === undefined) return true;
        const difference = order(types[column]!)(row[column]!, from.value);
        return from.exclusive ? difference > 0 : difference >= 0;
      })?.[column];
    },
    greatest: async (prefix, below) => {
      dives++;
      const column = prefix.length;
      const less = (row: Row) => below === undefined || order(types[column]!)(row[column]!, below) < 0;
      return under(prefix).filter(less).at(-1)?.[column];
    },
    rows: async (prefix, low, high) => {
      dives++;
      const compareNext = order(types[prefix.length]!);
      const found = under(prefix).filter(
        (row) =>
          compareNext(row[prefix.length]!, low) >= 0 &&
          (high === undefined || compareNext(row[prefix.length]!, high) < 0),
      );
      return estimate(found.length, rows.length);
    },
    allRows: async () => rows.length,
  };
  return { index, within, dives: () => dives };
}

/** Rows of each of `pieces` equal stretches. */
async function stretches(
  rows: readonly Row[],
  types: readonly ValueType[],
  pieces: number,
  estimate: Estimate = likeInnodb,
) {
  const { index, within, dives } = indexOf(rows, types, estimate);
  const space = new KeySpace(index, types);
  const bounds: Bound[] = [];
  for (let piece = 0; piece <= pieces; piece++)
    bounds.push(await space.boundAt(piece / pieces, 0.1 / pieces));
  const found = bounds.slice(1).map((upper, piece) => {
    const lower = bounds[piece]!;
    return lower === 'end' ? [] : within(lower, upper === 'end' ? [] : upper);
  });
  return { found, dives: dives() };
}

describe('a key space', () => {
  it.each([
    ['even integers', Array.from({ length: 2_000 }, (_, i) => [i * 2]), ['integer']],
    ['skewed integers', Array.from({ length: 2_000 }, (_, i) => [i ** 3]), ['integer']],
    [
      'text with a common beginning',
      Array.from({ length: 2_000 }, (_, i) => [`customer-${String(i).padStart(8, '0')}`]),
      ['text'],
    ],
    [
      'integers with a gap that is wider than all the others together',
      Array.from({ length: 2_000 }, (_, i) => [i < 700 ? i : i * 1_000]),
      ['integer'],
    ],
    [
      'one value for all, then integers',
      Array.from({ length: 2_000 }, (_, i) => ['eu', i]),
      ['text', 'integer'],
    ],
    [
      'a few tenants of very different size',
      Array.from({ length: 2_000 }, (_, i) => [i < 1_700 ? 1 : 1 + (i % 7), i]),
      ['integer', 'integer'],
    ],
  ] as const)('divides %s into even pieces by few dives', async (_, rows, types) => {
    const { found, dives } = await stretches(rows, types, 8);
    for (const piece of found) {
      expect(piece.length).toBeGreaterThan(150);
      expect(piece.length).toBeLessThan(350);
    }
    expect(dives).toBeLessThan(8 * 30);
  });

  it('never leaves out a row, whatever the rows and however wrong the estimates', async () => {
    const row = fc.tuple(fc.integer({ min: -5, max: 40 }), fc.integer({ min: 0, max: 9 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 80 }),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom<Estimate>(
          () => 0,
          (found) => 0.3 * found,
          (found) => found,
          likeInnodb,
        ),
        async (rows, pieces, estimate) => {
          const { found } = await stretches(rows, ['integer', 'integer'], pieces, estimate);
          const read = new Set(found.flat());
          for (const one of rows) expect(read.has(one)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('guesses a key near each place, and asks nothing for it', async () => {
    const rows = Array.from({ length: 2_000 }, (_, i) => [i < 700 ? i : i * 1_000]);
    const { index, within, dives } = indexOf(rows, ['integer'], likeInnodb);
    const space = new KeySpace(index, ['integer'], { finest: 1 / 16 });
    await space.nodes();
    const before = dives();
    for (let at = 1; at < 20; at++) {
      const guess = await space.guessAt(at / 20);
      const place = within([], [...guess!.prefix, guess!.value]).length / rows.length;
      expect(Math.abs(place - at / 20)).toBeLessThan(0.05);
    }
    expect(dives()).toBe(before);
  });

  it('asks little where keys are spread evenly, and on where they are not', async () => {
    const dividing = async (rows: readonly Row[]) => {
      const { index, dives } = indexOf(rows, ['integer'], likeInnodb);
      const nodes = await new KeySpace(index, ['integer'], { finest: 1 / 64 }).nodes();
      return { nodes: nodes.length, dives: dives() };
    };
    const even = await dividing(Array.from({ length: 2_000 }, (_, i) => [i * 7]));
    const skewed = await dividing(Array.from({ length: 2_000 }, (_, i) => [i ** 3]));
    expect(even.nodes).toBeLessThanOrEqual(16);
    expect(even.dives).toBeLessThan(70);
    expect(skewed.nodes).toBeGreaterThan(1.5 * even.nodes);
  });

  it('guesses among the rows of one value by the next column', async () => {
    const rows = Array.from({ length: 2_000 }, (_, i) => [Math.floor(40 * (i / 2_000) ** 3), i]);
    const { index, within } = indexOf(rows, ['integer', 'integer'], likeInnodb);
    const space = new KeySpace(index, ['integer', 'integer'], { finest: 1 / 32 });
    const alone = (await space.nodes()).filter(({ low, towards }) => low === towards);
    expect(alone).toEqual([]);
    for (let at = 1; at < 20; at++) {
      const guess = await space.guessAt(at / 20);
      const place = within([], [...guess!.prefix, guess!.value]).length / rows.length;
      // Between values that share a stretch it is off by one of them.
      expect(Math.abs(place - at / 20)).toBeLessThan(0.12);
    }
  });

  it.each([
    ['as many rows each', (i: number) => Math.floor(i / 50)],
    ['unlike numbers of rows', (i: number) => Math.floor((Math.sqrt(1 + 8 * Math.floor(i / 16)) - 1) / 2)],
  ])('guesses anywhere among the rows of few values with %s', async (_, columnOf) => {
    const rows = Array.from({ length: 2_000 }, (_, i) => [columnOf(i), (i * 7) % 100_003]);
    const { index, within } = indexOf(rows, ['integer', 'integer'], likeInnodb);
    const space = new KeySpace(index, ['integer', 'integer'], { finest: 1 / 16 });
    const found = new Set<string>();
    for (let at = 0; at < 400; at++) {
      const guess = await space.guessAt((at + 0.5) / 400);
      const next = within([...guess!.prefix, guess!.value], [])[0];
      found.add(JSON.stringify(next));
    }
    expect(found.size).toBeGreaterThan(300);
  });

  it('asks no more of a first column with many values than of one that is alone', async () => {
    const dividing = async (types: readonly ValueType[]) => {
      const rows = Array.from({ length: 2_000 }, (_, i) => [i * 7, i]);
      const { index, dives } = indexOf(rows, types, likeInnodb);
      const nodes = await new KeySpace(index, types, { finest: 1 / 64 }).nodes();
      return { nodes: nodes.length, dives: dives() };
    };
    const alone = await dividing(['integer']);
    const first = await dividing(['integer', 'integer']);
    expect(first.nodes).toBe(alone.nodes);
    expect(first.dives).toBeLessThanOrEqual(alone.dives + 2 * first.nodes);
  });

  it('of a type without an order between values is one piece', async () => {
    const { found } = await stretches([['a'], ['b'], ['c']], [], 4);
    expect(found.map((piece) => piece.length)).toEqual([3, 0, 0, 0]);
  });
});
