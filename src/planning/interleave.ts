import { type BlockRanges, blockCount } from './block-ranges.ts';
import type { DeviceCost } from './cost-model.ts';
import { countGaps, gapChooser, priceGap } from './gaps.ts';
import type { Segment } from './plan.ts';
import { ranksOf } from './plan-order.ts';

/** Less of the time than this is not worth giving up block order for. */
const worthwhile = 0.04;

/** Milliseconds that a piece takes of each of a device's limits. */
interface Piece<R> {
  readonly segment: Segment<R>;
  readonly operationsMs: number;
  readonly bytesMs: number;
}

/**
 * Puts pieces that are held up by their operations beside such as are held up by their bytes. A volume with
 * a limit of each (`max`) forgets within a moment what was not used of one while the other held a reading up,
 * so over a stretch of sparse blocks bytes are lost, and over a dense one operations.
 * Only within a rank, and only where that saves enough; else the segments as they are, in block order.
 */
export function interleave<R>(
  segments: readonly Segment<R>[],
  by: { readonly model: DeviceCost; readonly blockBytes: number; readonly pieceBlocks: number },
): readonly Segment<R>[] {
  if (by.model.rule !== 'max') return segments;
  return ranksOf(segments).flatMap((of) => interleaveRank(of, by));
}

function interleaveRank<R>(
  segments: readonly Segment<R>[],
  { model, blockBytes, pieceBlocks }: Parameters<typeof interleave>[1],
): readonly Segment<R>[] {
  const gapBlocks = gapChooser(segments, blockBytes)(model)(0);
  const pieces = segments.flatMap((segment) =>
    cut(segment.ranges, pieceBlocks).map((ranges): Piece<R> => {
      const { operations, bytes } = priceGap(model, countGaps(ranges), { gapBlocks, blockBytes });
      return {
        segment: { ...segment, ranges, blocks: blockCount(ranges) },
        operationsMs: operations * model.operationMs,
        bytesMs: bytes * model.byteMs,
      };
    }),
  );
  const sum = (of: (piece: Piece<R>) => number) => pieces.reduce((total, piece) => total + of(piece), 0);
  const operationsMs = sum((piece) => piece.operationsMs);
  const bytesMs = sum((piece) => piece.bytesMs);
  const inTurnMs = sum((piece) => Math.max(piece.operationsMs, piece.bytesMs));
  if (inTurnMs - Math.max(operationsMs, bytesMs) < worthwhile * inTurnMs) return segments;

  const isSparse = (piece: Piece<R>) => piece.operationsMs / operationsMs > piece.bytesMs / bytesMs;
  const sparse = pieces.filter(isSparse);
  const dense = pieces.filter((piece) => !isSparse(piece));
  const order: Segment<R>[] = [];
  let [operationsShare, bytesShare] = [0, 0];
  for (let [s, d] = [0, 0]; s + d < pieces.length; ) {
    const takesSparse = s < sparse.length && (d >= dense.length || operationsShare <= bytesShare);
    const piece = takesSparse ? sparse[s++]! : dense[d++]!;
    operationsShare += piece.operationsMs / operationsMs;
    bytesShare += piece.bytesMs / bytesMs;
    order.push(piece.segment);
  }
  return order;
}

/** Pieces of at least so many blocks each, but for the last, cut between runs; views of the same columns. */
function cut({ starts, lengths, heats }: BlockRanges, pieceBlocks: number): BlockRanges[] {
  const pieces: BlockRanges[] = [];
  let [from, blocks] = [0, 0];
  for (let i = 0; i < starts.length; i++) {
    blocks += lengths[i]!;
    if (blocks < pieceBlocks && i < starts.length - 1) continue;
    pieces.push({
      starts: starts.subarray(from, i + 1),
      lengths: lengths.subarray(from, i + 1),
      heats: heats.subarray(from, i + 1),
    });
    [from, blocks] = [i + 1, 0];
  }
  return pieces;
}
