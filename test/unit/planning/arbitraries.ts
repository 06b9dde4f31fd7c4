import fc from 'fast-check';
import { type BlockRanges, BlockRangesBuilder } from '../../../src/planning/block-ranges.ts';
import type { PlanInput, PlanMatch } from '../../../src/planning/plan.ts';
import { relationKey, type WorkSet, type WorkSetRelation } from '../../../src/planning/work-set.ts';

/** A block and its heat, one by one: what the columns stand for. */
export type HeatMap = ReadonlyMap<number, number>;

export function toMap(ranges: BlockRanges): Map<number, number> {
  const map = new Map<number, number>();
  ranges.starts.forEach((start, i) => {
    for (let block = start; block < start + ranges.lengths[i]!; block++) {
      if (map.has(block)) throw new Error(`block ${block} is there twice`);
      map.set(block, ranges.heats[i]!);
    }
  });
  return map;
}

/** Breaks of the invariants that `BlockRanges` promises; empty when it is sound. */
export function faultsOf({ starts, lengths, heats }: BlockRanges): string[] {
  const faults: string[] = [];
  if (starts.length !== lengths.length || starts.length !== heats.length)
    faults.push('columns differ in length');
  for (let i = 0; i < starts.length; i++) {
    if (lengths[i] === 0) faults.push(`range ${i} is empty`);
    if (heats[i]! > 5) faults.push(`range ${i} has heat ${heats[i]}`);
    if (i === 0) continue;
    const end = starts[i - 1]! + lengths[i - 1]!;
    if (starts[i]! < end) faults.push(`range ${i} overlaps or is out of order`);
    if (starts[i]! === end && heats[i] === heats[i - 1]) faults.push(`range ${i} touches its equal`);
  }
  return faults;
}

const run = fc.record({ gap: fc.nat(6), length: fc.integer({ min: 1, max: 9 }), heat: fc.nat(5) });

export const blockRanges = (
  options: { maxRuns?: number; leastHeat?: number } = {},
): fc.Arbitrary<BlockRanges> =>
  fc.array(run, { maxLength: options.maxRuns ?? 25 }).map((runs) => {
    const builder = new BlockRangesBuilder(1);
    let at = 0;
    for (const { gap, length, heat } of runs) {
      at += gap;
      builder.add(at, length, Math.max(options.leastHeat ?? 0, heat));
      at += length;
    }
    return builder.build();
  });

const words = fc.oneof(
  fc.string({ minLength: 1, maxLength: 8 }),
  fc.constantFrom('"Ünï cödé"', "o'brien", 'a.b'),
);

const key = fc.oneof(words, fc.integer(), fc.constantFrom({ hex: '' }, { hex: '00ff' }));
const place = fc.record({
  at: fc.constantFrom(0, 0.125, 1 / 3, 1),
  prefix: fc.array(key, { maxLength: 2 }),
  low: key,
  towards: key,
});

export const workSetRelation: fc.Arbitrary<WorkSetRelation> = fc
  .record({
    database: fc.constantFrom('app', 'Äpp'),
    schema: words,
    name: words,
    kind: fc.constantFrom('table' as const, 'index' as const, 'toast' as const),
    parent: fc.option(words, { nil: undefined }),
    fork: fc.constantFrom('main' as const, 'vm' as const),
    filenode: fc.constantFrom('1663/5/1', '1663/5/2'),
    sizeBlocks: fc.nat(400),
    share: fc.constantFrom(0, 0.1, 0.25, 0.25, 0.5),
    ranges: blockRanges(),
    places: fc.option(fc.array(place, { maxLength: 3 }), { nil: undefined }),
  })
  .map(({ parent, places, ...rest }) => ({
    ...rest,
    ...(parent === undefined ? {} : { parent }),
    ...(places === undefined ? {} : { places }),
  }));

export const relations = (maxLength = 6): fc.Arbitrary<WorkSetRelation[]> =>
  fc.uniqueArray(workSetRelation, { selector: relationKey, maxLength });

export const workSet: fc.Arbitrary<WorkSet> = fc
  .record({
    vm: fc.constantFrom('app1', 'app_2'),
    source: fc.constant('db1'),
    systemId: fc.string({ maxLength: 20 }),
    blockBytes: fc.constantFrom(8192, 16384),
    takenAt: fc.constant('2026-01-01T00:00:00.000Z'),
    blocksKnown: fc.boolean(),
    secondTier: fc.constantFrom('measured' as const, 'unknown' as const),
    secondTierBytesEstimate: fc.option(fc.nat(), { nil: undefined }),
    relations: relations(),
  })
  .map(({ secondTierBytesEstimate: estimate, ...rest }) =>
    estimate === undefined ? rest : { ...rest, secondTierBytesEstimate: estimate },
  );

/** A plan's input of every kind: exact, by name, absent; larger and smaller targets; anything resident. */
export const planInput: fc.Arbitrary<PlanInput> = fc
  .record({
    relations: relations(),
    verdicts: fc.array(
      fc.constantFrom('blocks' as const, 'blocks' as const, 'relation' as const, 'absent' as const),
      {
        minLength: 6,
        maxLength: 6,
      },
    ),
    sizes: fc.array(fc.nat(300), { minLength: 6, maxLength: 6 }),
    resident: fc.array(blockRanges(), { minLength: 6, maxLength: 6 }),
    poolBlocks: fc.oneof(fc.nat(150), fc.nat(2000)),
    osBlocks: fc.oneof(fc.constant(0), fc.nat(80)),
    deadlineMs: fc.oneof(fc.constant(null), fc.integer({ min: -50, max: 200 })),
    goal: fc.constantFrom(0.5, 0.95, 1),
    blocksKnown: fc.boolean(),
    model: fc.record({
      operationMs: fc.double({ min: 0, max: 10, noNaN: true }),
      byteMs: fc.constant(1e-5),
      rule: fc.constantFrom('sum' as const, 'max' as const),
    }),
  })
  .map(({ relations: wanted, verdicts, sizes, resident, poolBlocks, osBlocks, ...rest }) => ({
    ...rest,
    matches: wanted.map((relation, i): PlanMatch => {
      const verdict = verdicts[i]!;
      return {
        wanted: relation,
        verdict,
        ...(verdict === 'absent' ? {} : { local: { ...relation, sizeBlocks: sizes[i]! } }),
        ...(verdict === 'relation' ? { reason: 'its filenode differs' } : {}),
      };
    }),
    resident: new Map(wanted.map((relation, i) => [relationKey(relation), resident[i]!])),
    budget: { poolBlocks, osBlocks },
    blockBytes: 8192,
  }));
