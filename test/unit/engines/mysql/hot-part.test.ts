import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hotPart, means, newest } from '../../../../src/engines/mysql/hot-part.ts';
import { type Cell, type Stretch, survey } from '../../../../src/engines/mysql/survey.ts';
import {
  type BlockRanges,
  blockCount,
  intersect,
  rangesOf,
  singleRange,
} from '../../../../src/planning/block-ranges.ts';

const size = 10_000;

/** Numbers from 0 to 1 that a seed decides. */
function randomFrom(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0;
    return state / 2 ** 32;
  };
}

async function surveyOf(
  held: BlockRanges,
  seed: number,
  options: { region?: Stretch[]; questions?: number; over?: (asked: number) => boolean } = {},
): Promise<{ cells: readonly Cell[]; asked: number }> {
  let asked = 0;
  const random = randomFrom(seed);
  const cells = await survey({
    region: options.region ?? [{ from: 0, to: 1 }],
    cells: 192,
    questions: options.questions ?? 384,
    ask: async (place) => {
      asked++;
      return blockCount(intersect(held, singleRange(Math.floor(place * size), 1, 1))) > 0;
    },
    isOver: () => options.over?.(asked) ?? false,
    placeIn: ({ from, to }) => from + (to - from) * random(),
  });
  return { cells, asked };
}

const scattered = (part: number, seed: number): BlockRanges => {
  const random = randomFrom(seed);
  return rangesOf(
    Array.from({ length: size }, (_, at) => at)
      .filter(() => random() < part)
      .map((at) => [at, 1, 1] as const),
  );
};

describe('a survey', () => {
  it('tells a region as it is, in order and without a gap, whatever is held', async () => {
    const runs = fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        runs,
        fc.nat(1_000),
        fc.integer({ min: 1, max: 400 }),
        async (hundreds, seed, most) => {
          const held = rangesOf(hundreds.sort((a, b) => a - b).map((at) => [at * 100, 100, 1] as const));
          const { cells, asked } = await surveyOf(held, seed, { questions: most });
          expect(asked).toBeLessThanOrEqual(most);
          if (most < 96) return;
          expect(cells[0]?.from).toBe(0);
          expect(cells.at(-1)?.to).toBe(1);
          for (const [at, cell] of cells.entries()) if (at > 0) expect(cell.from).toBe(cells[at - 1]!.to);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('stays within the stretches that it is asked about', async () => {
    const region = [
      { from: 0.1, to: 0.2 },
      { from: 0.7, to: 0.9 },
    ];
    const { cells } = await surveyOf(singleRange(7_500, 500, 1), 3, { region });
    const inside = (place: number) => region.some(({ from, to }) => place >= from && place <= to);
    expect(cells.every(({ from, to }) => inside(from) && inside(to))).toBe(true);
    const found = cells.filter((cell) => cell.resident);
    expect(Math.min(...found.map(({ from }) => from))).toBeCloseTo(0.75, 2);
    expect(Math.max(...found.map(({ to }) => to))).toBeCloseTo(0.8, 2);
  });

  it('that is cut off early has looked everywhere, only less closely; one cut off at once tells nothing', async () => {
    const half = await surveyOf(singleRange(5_000, 1_000, 1), 5, { over: (asked) => asked >= 110 });
    expect(half.cells.at(-1)?.to).toBe(1);
    expect(half.cells.some(({ from, resident }) => resident && from > 0.45 && from < 0.65)).toBe(true);
    expect((await surveyOf(singleRange(5_000, 1_000, 1), 5, { over: (asked) => asked >= 20 })).cells).toEqual(
      [],
    );
  });
});

describe('what is wanted of an index', () => {
  it.each([
    [0, 0],
    [5_000, size],
    [9_000, size],
  ])('needs no survey where the source holds %i of 10,000 pages', (count, wanted) => {
    expect(blockCount(hotPart(count, size, []).ranges)).toBe(wanted);
  });

  it('is all of a small one', () => {
    expect(blockCount(hotPart(3, 30, []).ranges)).toBe(30);
  });

  it('is its greatest keys where nothing could be asked', () => {
    expect(hotPart(700, size, [])).toEqual({ ranges: newest(700, size), means: means.newest });
  });

  it.each([300, 4_000, 7_100, 9_300])(
    'is a hot 700 from %i on, with at most twice its pages, beside others',
    async (from) => {
      for (let seed = 1; seed <= 20; seed++) {
        const hot = singleRange(from, 700, 1);
        const others = scattered(0.01, seed);
        const held = rangesOf(
          [hot, others].flatMap(({ starts, lengths }) =>
            [...starts].map((start, at) => [start, lengths[at]!, 1] as const),
          ),
        );
        const { cells } = await surveyOf(held, seed);
        const { ranges } = hotPart(blockCount(held), size, cells);
        expect(blockCount(intersect(hot, ranges)) / blockCount(hot)).toBeGreaterThan(0.95);
        expect(blockCount(ranges)).toBeLessThan(2 * blockCount(hot));
      }
    },
  );

  it.each([300, 4_000, 7_100, 9_300])(
    'is a hot 700 from %i on, with hardly more than its pages, where its keys are told',
    async (from) => {
      for (let seed = 1; seed <= 20; seed++) {
        const hot = singleRange(from, 700, 1);
        const { cells } = await surveyOf(hot, seed);
        const { ranges } = hotPart(blockCount(hot), size, cells, true);
        expect(blockCount(intersect(hot, ranges)) / blockCount(hot)).toBeGreaterThan(0.97);
        expect(blockCount(ranges)).toBeLessThan(1.2 * blockCount(hot));
      }
    },
  );

  it('does not grow with what the source counts beyond what was found', async () => {
    const hot = singleRange(4_000, 700, 1);
    const { cells } = await surveyOf(hot, 4);
    // Counted besides are pages that earlier surveys brought, one here and one there.
    const { ranges } = hotPart(1_400, size, cells, true);
    expect(blockCount(ranges)).toBeLessThan(1.2 * blockCount(hot));
  });

  it('is both of two hot stretches', async () => {
    const hot = rangesOf([
      [2_000, 500, 1],
      [7_000, 800, 1],
    ]);
    const { cells } = await surveyOf(hot, 9);
    const { ranges, means: how } = hotPart(1_300, size, cells);
    expect(how).toBe(means.probed);
    expect(blockCount(intersect(hot, ranges))).toBeGreaterThan(1_240);
    expect(blockCount(ranges)).toBeLessThan(2_000);
  });

  it.each([0.02, 0.1, 0.3])(
    'is no worse than the greatest keys where a part of %f lies scattered',
    async (part) => {
      let found = 0;
      let before = 0;
      for (let seed = 1; seed <= 30; seed++) {
        const held = scattered(part, seed);
        const { cells } = await surveyOf(held, seed + 100);
        const { ranges } = hotPart(blockCount(held), size, cells);
        found += blockCount(intersect(held, ranges));
        before += blockCount(intersect(held, newest(blockCount(held), size)));
        expect(blockCount(ranges)).toBeLessThan(1.6 * blockCount(held));
      }
      expect(found).toBeGreaterThan(0.95 * before);
    },
  );
});
