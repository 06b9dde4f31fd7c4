import type { Spans, WarmStep } from '../engine.ts';

/** One call of pg_prewarm. */
export interface Reading {
  readonly mode: 'read' | 'buffer';
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** 1 where its blocks are wanted or lie between such, 0 for a read on their behalf. */
  readonly weight: 0 | 1;
}

export interface ReadingOptions {
  /** Adjacent blocks that one system call of the server can read; 1 before PostgreSQL 17. */
  readonly combineBlocks: number;
  /** The pool has so much free that bridged gaps may enter it, and harm nobody. */
  readonly gapsMayEnterPool: boolean;
}

/** A read of this size is done as it is by Linux's default read-ahead setting, 128 KiB. */
const exactBlocks = 16;
/** A span this long is read in larger pieces: read-ahead behind its end is a small part of it. */
const longSpanBlocks = 256;
/** From here on pieces are large enough for a disk that counts operations. */
const largeCombineBlocks = 64;

/**
 * The calls that carry a step out, in order.
 *
 * Reads that go up make the kernel read ahead, past the end of every span: of a work set in 2,400 spans it
 * read 836 MB for 335 MB wanted (read-ahead setting 8 MiB, 125 MB/s: 2.4 times the floor). Pieces that one
 * system call reads, asked for from the end to the beginning, are never taken for a sequence: 335 MB, at the
 * floor. They cost more operations, so where operations are dear (the planner bridges gaps) runs are read
 * in the largest pieces that the server can read, or else by way of the kernel's read-ahead.
 */
export function readingsOf(step: WarmStep, options: ReadingOptions): Reading[] {
  const { combineBlocks, gapsMayEnterPool } = options;
  const mode = step.tier === 'pool' ? 'buffer' : 'read';
  // `read` mode asks for one block a call, whatever the version: only read-ahead makes large reads of it.
  if (combineBlocks === 1 || step.tier === 'os') {
    return [...ascending(step.readThrough, 'read', 0), ...ascending(step.wanted, mode, 1)];
  }
  if (step.readThrough.length === 0) return descending(step.wanted, combineBlocks, exactBlocks);
  if (!gapsMayEnterPool || combineBlocks < largeCombineBlocks) {
    return [
      ...ascending(step.readThrough, 'read', 0),
      ...descending(step.wanted, combineBlocks, exactBlocks),
    ];
  }
  const outside = withoutCovered(step.wanted, step.readThrough);
  // Not touched once more to count what is wanted inside: that would raise its heat.
  return [
    ...descending(step.readThrough, combineBlocks, combineBlocks),
    ...descending(outside, combineBlocks, combineBlocks),
  ];
}

/** Spans as they are, in their order. */
export function ascending(spans: Spans, mode: Reading['mode'], weight: Reading['weight']): Reading[] {
  const readings: Reading[] = [];
  for (let at = 0; at + 1 < spans.length; at += 2) {
    readings.push({ mode, start: spans[at]!, end: spans[at + 1]!, weight });
  }
  return readings;
}

function descending(spans: Spans, combineBlocks: number, shortPieceBlocks: number): Reading[] {
  const readings: Reading[] = [];
  for (let at = 0; at + 1 < spans.length; at += 2) {
    const start = spans[at]!;
    const end = spans[at + 1]!;
    const long = end - start >= longSpanBlocks;
    const pieceBlocks = !long
      ? Math.min(shortPieceBlocks, combineBlocks)
      : combineBlocks >= largeCombineBlocks
        ? combineBlocks
        : end - start;
    for (let from = start; from < end; from += pieceBlocks) {
      readings.push({ mode: 'buffer', start: from, end: Math.min(end, from + pieceBlocks), weight: 1 });
    }
  }
  return readings.reverse();
}

/** The spans of `spans` that none of `covers` contains; both ascending, each span is inside or outside as a whole. */
function withoutCovered(spans: Spans, covers: Spans): number[] {
  const rest: number[] = [];
  let cover = 0;
  for (let at = 0; at + 1 < spans.length; at += 2) {
    while (cover + 1 < covers.length && covers[cover + 1]! <= spans[at]!) cover += 2;
    const covered = cover + 1 < covers.length && covers[cover]! <= spans[at]!;
    if (!covered) rest.push(spans[at]!, spans[at + 1]!);
  }
  return rest;
}
