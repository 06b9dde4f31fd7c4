import type { AllocationRow } from '../../attribution/allocate.ts';
import type { Explanation, Resolution } from './explanations.ts';
import type { LockWitness } from './sessions.ts';

/** One statement of one VM, with all that is known of it. */
export interface WitnessedRow {
  readonly vm: string;
  /** Aged accesses. */
  readonly volume: number;
  /** Equal for rows that divide one statement among VMs by estimate. */
  readonly group: string;
  readonly explanation: Explanation | undefined;
  /** Locks of the VM's sessions while this was their statement, and at any time. */
  readonly statementLocks: LockWitness;
  readonly vmLocks: LockWitness;
}

/** What is thought of one, and to be weighed against the others. */
export interface WorkRow {
  readonly row: WitnessedRow;
  readonly resolutions: readonly Resolution[];
  readonly seeds: Map<string, number>;
  readonly hints: ReadonlySet<string>;
  doubt?: string;
  unsettled: boolean;
  readonly wanted: Set<string>;
}

export const asAllocation = (one: WorkRow): AllocationRow => ({
  volume: one.row.volume,
  seeds: one.seeds,
  group: one.row.group,
});

/** A lock seen in fewer of a statement's looks may be a neighbour's in the same transaction. */
export const firmLockPart = 0.2;

/** In which part of the looks it was locked, 0 to 1. */
export function lockPart(witness: LockWitness, oid: string): number {
  return witness.looks > 0 ? (witness.byOid.get(oid) ?? 0) / witness.looks : 0;
}
