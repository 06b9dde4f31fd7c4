import { longRunBlocks } from '../../planning/cost-model.ts';
import type { ServerIdentity, Spans, WarmStep } from '../engine.ts';

/** One call of pg_prewarm. */
export interface Reading {
  readonly mode: 'read' | 'buffer';
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** 1 where its blocks are wanted, 0 for a read on their behalf. */
  readonly weight: 0 | 1;
}

export interface Readings {
  /** Into the OS cache first, by large reads that end where they should. */
  readonly through: Spans;
  /** Then by pg_prewarm, in this order. */
  readonly calls: readonly Reading[];
}

export interface ReadingOptions {
  /** Adjacent blocks that one system call of the server can read; 1 before PostgreSQL 17. */
  readonly combineBlocks: number;
  /** The server has `forewarm.read_through`. */
  readonly readsThrough: boolean;
}

/** A read of this size is done as it is by Linux's default read-ahead setting, 128 KiB. */
const exactBlocks = 16;
/** From here on pieces are large enough for a disk that counts operations. */
const largeCombineBlocks = 64;

/** Where the kernel may read ahead, as before PostgreSQL 17, it combines what adjoins. */
export function pieceOf(combineBlocks: number): Pick<ServerIdentity, 'pieceBlocks'> {
  return combineBlocks > 1 ? { pieceBlocks: Math.min(exactBlocks, combineBlocks) } : {};
}

/**
 * How a step is carried out.
 *
 * Reads that go up make the kernel read ahead, past the end of every span: of a work set in 5,600 spans it
 * read 1,014 MB where 530 MB, bridged gaps included, were asked for (read-ahead setting 8 MiB). Large reads
 * of their own files by the server end where they should: 536 MB. So where operations are dear, and where
 * pg_prewarm asks for one block a call, all goes through the OS cache that way. Else pieces that one system call reads go straight into the pool: asked for from the end to the
 * beginning, they are never taken for a sequence either.
 */
export function readingsOf(step: WarmStep, options: ReadingOptions): Readings {
  const { combineBlocks, readsThrough } = options;
  const { tier, wanted, readThrough } = step;
  const bridged = readThrough.length > 0;
  if (tier === 'os') {
    if (readsThrough) return { through: bridged ? readThrough : wanted, calls: [] };
    return { through: [], calls: [...ascending(readThrough, 'read', 0), ...ascending(wanted, 'read', 1)] };
  }
  const exact = combineBlocks > 1;
  const calls = exact ? descending(wanted, combineBlocks) : ascending(wanted, 'buffer', 1);
  if (!readsThrough) return { through: [], calls: [...ascending(readThrough, 'read', 0), ...calls] };
  return { through: bridged ? readThrough : exact ? [] : wanted, calls };
}

/** The same, with no more asked of the disk at once than a piece. */
export function inPieces(
  { through, calls }: Readings,
  { pieceBlocks, combineBlocks }: { readonly pieceBlocks: number } & Pick<ReadingOptions, 'combineBlocks'>,
): Readings {
  const pieces = ascending(through, 'read', 0).flatMap((run) => cut(run, pieceBlocks));
  return {
    through: pieces.flatMap(({ start, end }) => [start, end]),
    calls:
      through.length > 0
        ? calls
        : calls.flatMap((call) => {
            const cuts = cut(call, pieceBlocks);
            return combineBlocks > 1 && call.mode === 'buffer' ? cuts.reverse() : cuts;
          }),
  };
}

/** Of ascending spans, in which group each is read, 0 first: from the end to the beginning, a piece at once at most. */
export function groupsOf(spans: Spans, pieceBlocks: number): number[] {
  const groups: number[] = [];
  let [group, blocks] = [0, 0];
  for (let at = spans.length - 2; at >= 0; at -= 2) {
    const length = spans[at + 1]! - spans[at]!;
    if (blocks > 0 && blocks + length > pieceBlocks) [group, blocks] = [group + 1, 0];
    blocks += length;
    groups.push(group);
  }
  return groups.reverse();
}

/** Spans as they are, in their order. */
export function ascending(spans: Spans, mode: Reading['mode'], weight: Reading['weight']): Reading[] {
  const readings: Reading[] = [];
  for (let at = 0; at + 1 < spans.length; at += 2) {
    readings.push({ mode, start: spans[at]!, end: spans[at + 1]!, weight });
  }
  return readings;
}

function cut(reading: Reading, mostBlocks: number): Reading[] {
  const { start, end } = reading;
  return Array.from({ length: Math.ceil((end - start) / mostBlocks) }, (_, i) => {
    const from = start + i * mostBlocks;
    return { ...reading, start: from, end: Math.min(end, from + mostBlocks) };
  });
}

function descending(spans: Spans, combineBlocks: number): Reading[] {
  const readings = ascending(spans, 'buffer', 1).flatMap((run) => {
    const long = run.end - run.start >= longRunBlocks;
    const pieceBlocks = !long
      ? Math.min(exactBlocks, combineBlocks)
      : combineBlocks >= largeCombineBlocks
        ? combineBlocks
        : run.end - run.start;
    return cut(run, pieceBlocks);
  });
  return readings.reverse();
}
