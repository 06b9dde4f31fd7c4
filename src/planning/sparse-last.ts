import { type BlockRanges, BlockRangesBuilder, blockCount, maxHeat } from './block-ranges.ts';
import type { DeviceCost } from './cost-model.ts';
import { cheapestGap, countAllGaps, widestGapBlocks } from './gaps.ts';

/** Less of the time than this is not worth going over the disk twice. */
const worthwhile = 0.01;
/**
 * All together may take so many times as long: first and later may be held up by one limit each, and leave the other
 * unused.
 */
export const dearestParted = 1.15;
/** The price of a place falls as places are put off; it is found anew so often at most. */
const pricings = 2;
/** Classes of what a place brings for its price. */
const yieldClasses = 1024;

/** A list in two. */
export interface Parted {
  readonly first: BlockRanges;
  readonly later: BlockRanges;
}

/**
 * Puts off the places of the disk that bring least for what they cost, a hot block counting for more, so that the rest
 * is there soonest: a block that is alone takes as many operations as a long stretch. Null where that saves too little, or
 * makes all of it too slow. Linear in the lists.
 */
export function partSparse(
  lists: readonly BlockRanges[],
  options: {
    readonly model: DeviceCost;
    readonly blockBytes: number;
    /** As many may be put off at most. */
    readonly laterBlocks: number;
  },
): readonly Parted[] | null {
  const { model, blockBytes, laterBlocks } = options;
  if (laterBlocks < 1) return null;
  const whole = priceOf(lists, model, blockBytes);
  let best: { readonly ms: number; readonly parted: readonly Parted[] } | null = null;
  let { price } = whole;
  for (let pricing = 0; pricing < pricings && price >= 1; pricing++) {
    const parted = partAt(lists, price, laterBlocks);
    const first = priceOf(
      parted.map(({ first: one }) => one),
      model,
      blockBytes,
    );
    if (best === null || first.ms < best.ms) best = { ms: first.ms, parted };
    if (first.price === price) break;
    price = first.price;
  }
  if (best === null) return null;
  const later = best.parted.map((one) => one.later);
  const pays = best.ms <= whole.ms * (1 - blocksOf(later) / blocksOf(lists) - worthwhile);
  const allMs = best.ms + priceOf(later, model, blockBytes).ms;
  return pays && allMs <= whole.ms * dearestParted ? best.parted : null;
}

const blocksOf = (lists: readonly BlockRanges[]) =>
  lists.reduce((sum, ranges) => sum + blockCount(ranges), 0);

/**
 * To go to a place, in blocks that could be read meanwhile, and the time that all takes. With a limit of each, the gaps
 * that are read through say what operations are worth in bytes; 0 where bytes alone hold the reading up.
 */
function priceOf(lists: readonly BlockRanges[], model: DeviceCost, blockBytes: number) {
  const { rule, operationMs, byteMs } = model;
  const gaps = countAllGaps(lists);
  const { gapBlocks, operations, bytes, ms } = cheapestGap(model, gaps, blockBytes);
  if (rule === 'sum') return { price: Math.floor(operationMs / (byteMs * blockBytes)), ms };
  if (operations * operationMs <= bytes * byteMs) return { price: gapBlocks, ms };
  const wider = gaps.byWidth.findIndex((count, width) => width > gapBlocks && count > 0);
  return { price: wider < 0 ? widestGapBlocks : wider, ms };
}

function partAt(lists: readonly BlockRanges[], price: number, laterBlocks: number): Parted[] {
  const byYield = new Float64Array(yieldClasses);
  let [warmth, cost] = [0, 0];
  for (const ranges of lists) {
    forEachPlace(ranges, price, (place) => {
      byYield[yieldClassOf(place)]! += place.blocks;
      warmth += place.warmth;
      cost += place.cost;
    });
  }
  // What brings as much as all do would save no more than its part.
  const mean = yieldClassOf({ warmth, cost });
  let left = laterBlocks;
  let edge = 0;
  while (edge < mean && byYield[edge]! <= left) left -= byYield[edge++]!;
  return lists.map((ranges) => {
    const builders = { first: new BlockRangesBuilder(), later: new BlockRangesBuilder() };
    forEachPlace(ranges, price, (place) => {
      const yieldClass = yieldClassOf(place);
      const atEdge = yieldClass === edge && edge < mean && place.blocks <= left;
      if (atEdge) left -= place.blocks;
      const builder = yieldClass < edge || atEdge ? builders.later : builders.first;
      for (let i = place.from; i < place.to; i++)
        builder.add(ranges.starts[i]!, ranges.lengths[i]!, ranges.heats[i]!);
    });
    return { first: builders.first.build(), later: builders.later.build() };
  });
}

/** A place of the disk: ranges with gaps between them that are read through. */
interface DiskPlace {
  /** Ranges by their numbers, `to` exclusive. */
  readonly from: number;
  readonly to: number;
  readonly blocks: number;
  /** Its blocks by their heat, as of the hottest. */
  readonly warmth: number;
  /** In blocks that could be read meanwhile. */
  readonly cost: number;
}

/** 0: brings least for what it costs. */
function yieldClassOf({ warmth, cost }: Pick<DiskPlace, 'warmth' | 'cost'>): number {
  return Math.floor((warmth / cost) * (yieldClasses - 1));
}

function forEachPlace(ranges: BlockRanges, price: number, visit: (place: DiskPlace) => void): void {
  const { starts, lengths, heats } = ranges;
  for (let from = 0; from < starts.length; ) {
    let [to, blocks, heat] = [from, 0, 0];
    let end = starts[from]!;
    do {
      blocks += lengths[to]!;
      heat += lengths[to]! * heats[to]!;
      end = starts[to]! + lengths[to]!;
      to += 1;
    } while (to < starts.length && starts[to]! - end <= price);
    visit({ from, to, blocks, warmth: heat / maxHeat, cost: price + end - starts[from]! });
    from = to;
  }
}
