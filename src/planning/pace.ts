import { type DeviceCost, estimateMs } from './cost-model.ts';

/** How a step is spread over time, so that others who read from the same disk never wait behind much of it. */
export interface Pace {
  /** Of a block that is read, a bridged one too: this connection is no faster. */
  readonly msPerBlock: number;
  /** The most that is asked of the disk at once. */
  readonly pieceBlocks: number;
}

export interface Courtesy {
  /** Part of the disk's time that is left to residents; 0: none. */
  readonly residentsFraction: number;
  /** Blocks that a statement of residents had to read of late; null: unknown. */
  readonly readsPerStatement: number | null;
  /** What the disk gives was measured, and not long ago. */
  readonly deviceKnown: boolean;
  /** The VM runs here already. */
  readonly arrived: boolean;
  /** Time left, and time that the rest of the plan takes at full pace; null: no deadline. */
  readonly untilDeadlineMs: number | null;
  readonly remainingMs: number;
}

/** From here on it shows in the 99th percentile of residents how long a read takes. */
const feltReads = 0.01;

/**
 * What residents who read from the disk are left of it. `part` of its time; `turns`, between short reads at full pace, by
 * which alone a disk can be measured; `nothing` where they find all in the pool or the deadline needs the whole disk. The
 * VM is one of them once it is here: what it has to read is not to wait behind what is read for it.
 */
export type DiskLeft = 'nothing' | 'turns' | 'part';

export function diskLeft(courtesy: Courtesy): DiskLeft {
  const { residentsFraction, readsPerStatement, deviceKnown, arrived, untilDeadlineMs, remainingMs } =
    courtesy;
  const read = readsPerStatement !== null && readsPerStatement >= feltReads;
  const late = untilDeadlineMs !== null && untilDeadlineMs <= remainingMs / (1 - residentsFraction);
  if (residentsFraction === 0 || !(arrived || (read && !late))) return 'nothing';
  return deviceKnown ? 'part' : 'turns';
}

export interface PaceOptions {
  readonly blockBytes: number;
  readonly residentsFraction: number;
  /** Steps that may read at the same time. */
  readonly readers: number;
}

/** A read that does not keep another waiting for long, unless operations are dear. */
const pieceBytes = { least: 128 * 1024, most: 4 * 2 ** 20 };
/** Of a disk that is not known: on one that counts operations, smaller ones would hide what it gives in bytes. */
const triedBytes = 512 * 1024;
/** A piece is so many times what could be read while a place is gone to. */
const worthItsPlace = { max: 2, sum: 4 };
/** What is read at once fills the pool at once, and while it does, residents wait for a processor. */
const stepBytes = 2 * 2 ** 20;

interface Limits {
  readonly wantedBlocks: number;
  readonly predictedMs: number;
}

/** Gives the steps of one plan the pace at which all readers together leave residents their part. */
export class Pacer {
  readonly #options: PaceOptions;
  /** Of all steps so far. */
  #operations = 0;
  #bytes = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Bounds of a step that leaves so much, by those of one that does not. */
  bounds<L extends Limits>(left: DiskLeft, limits: L): L {
    if (left === 'nothing') return limits;
    const { blockBytes, residentsFraction, readers } = this.#options;
    return {
      ...limits,
      wantedBlocks: Math.min(limits.wantedBlocks, Math.max(1, Math.floor(stepBytes / blockBytes))),
      predictedMs: (limits.predictedMs * (1 - residentsFraction)) / readers,
    };
  }

  /**
   * That of the next step; undefined: as fast as it can. Where operations and bytes have limits of their own, steps that
   * use up the one run beside steps that use up the other, and each takes its part of the time of both.
   */
  next(
    left: DiskLeft,
    step: { readonly operations: number; readonly bytes: number },
    cost: DeviceCost,
  ): Pace | undefined {
    if (left === 'nothing') return undefined;
    const { blockBytes, residentsFraction, readers } = this.#options;
    const blocksOf = (bytes: number) => Math.max(1, Math.round(bytes / blockBytes));
    if (left === 'turns') return { msPerBlock: 0, pieceBlocks: blocksOf(triedBytes) };
    const evenBytes = (cost.operationMs / cost.byteMs) * worthItsPlace[cost.rule];
    const piece = Math.min(pieceBytes.most, Math.max(pieceBytes.least, evenBytes));
    const operations = Math.max(step.operations, step.bytes / piece);
    this.#operations += operations;
    this.#bytes += step.bytes;
    const inTurn: DeviceCost = { ...cost, rule: 'sum' };
    const overlap =
      estimateMs(cost, this.#operations, this.#bytes) / estimateMs(inTurn, this.#operations, this.#bytes);
    const aloneMs = overlap * estimateMs(inTurn, operations, step.bytes);
    const ms = (aloneMs * readers) / (1 - residentsFraction);
    return { msPerBlock: ms / Math.max(1, step.bytes / blockBytes), pieceBlocks: blocksOf(piece) };
  }
}
