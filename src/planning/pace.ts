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
  /** Blocks that a statement of residents usually has to read; null: unknown. */
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
const feltReads = 0.005;

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
  readonly cost: DeviceCost;
  readonly blockBytes: number;
  readonly residentsFraction: number;
  /** Steps that may read at the same time. */
  readonly readers: number;
}

/** A read that does not keep another waiting for long, unless operations are dear. */
const pieceBytes = { least: 128 * 1024, most: 4 * 2 ** 20 };
/** Of a disk that is not known: on one that counts operations, smaller ones would hide what it gives in bytes. */
const triedBytes = 512 * 1024;
/** Where a place gone to and bytes are waited for in turn, a piece is so many times what could be read meanwhile. */
const worthItsPlace = 4;

/** The pace at which all readers together leave residents that much; undefined: as fast as it can. */
export function paceOf(
  left: DiskLeft,
  step: { readonly operations: number; readonly bytes: number },
  { cost, blockBytes, residentsFraction, readers }: PaceOptions,
): Pace | undefined {
  if (left === 'nothing') return undefined;
  if (left === 'turns') return { msPerBlock: 0, pieceBlocks: Math.max(1, triedBytes / blockBytes) };
  const evenBytes = (cost.operationMs / cost.byteMs) * (cost.rule === 'sum' ? worthItsPlace : 1);
  const bytes = Math.min(pieceBytes.most, Math.max(pieceBytes.least, evenBytes));
  const operations = Math.max(step.operations, Math.ceil(step.bytes / bytes));
  const ms = (estimateMs(cost, operations, step.bytes) * readers) / (1 - residentsFraction);
  return {
    msPerBlock: ms / Math.max(1, step.bytes / blockBytes),
    pieceBlocks: Math.max(1, Math.round(bytes / blockBytes)),
  };
}

/** What is read at once fills the pool at once, and while it does, residents wait for a processor. */
const stepBytes = 2 * 2 ** 20;

/** Bounds of a step that leaves so much, by those of one that does not. */
export function boundsLeaving<Limits extends { readonly wantedBlocks: number; readonly predictedMs: number }>(
  left: DiskLeft,
  limits: Limits,
  { blockBytes, residentsFraction, readers }: Omit<PaceOptions, 'cost'>,
): Limits {
  if (left === 'nothing') return limits;
  return {
    ...limits,
    wantedBlocks: Math.min(limits.wantedBlocks, Math.max(1, Math.floor(stepBytes / blockBytes))),
    predictedMs: (limits.predictedMs * (1 - residentsFraction)) / readers,
  };
}
