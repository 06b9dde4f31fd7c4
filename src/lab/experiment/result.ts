import type { MigrationRecord } from '../../messages/record.ts';
import type { LoadSample } from '../app-messages.ts';
import type { DiskProfile } from '../disk-profiles.ts';
import type { PoolMap } from './pool-map.ts';

/** `cold`: moved without Forewarm; `forewarm`: moved with it; `warm`: the target had served the VM all along. */
export type ArmName = 'cold' | 'forewarm' | 'warm';

/** Throughput and latency over a stretch of time that begins with the switch. */
export interface Stretch {
  readonly tps: number;
  readonly p99Ms: number;
}

/** What one arm comes to; the wire form of `demo --json`. */
export interface ArmFigures {
  readonly name: ArmName;
  /** From the published intent to ready; 0 where nobody waits for one. */
  readonly readyMs: number;
  /** Bytes that the target read from its disk in that time. */
  readonly bytesRead: number;
  /** The work set's bytes divided by the disk's bandwidth: no warming can be faster. */
  readonly floorMs: number;
  readonly first1s: Stretch;
  readonly first10s: Stretch;
  /** Bytes that the target read from its disk in the 10 s after the switch. */
  readonly readAfterBytes: number;
  /** Reads of the moving VM that failed, from the arm's begin to its end. */
  readonly failedQueries: number;
}

/** The document of `demo --json`. */
export interface DemoDocument {
  readonly device: { readonly profile: DiskProfile; readonly throttled: boolean };
  readonly workSet: { readonly blocks: number; readonly bytes: number };
  readonly arms: readonly ArmFigures[];
}

/** A point in an arm's time, in milliseconds from the switch. */
export interface Mark {
  readonly name: 'intent' | 'ready';
  readonly atMs: number;
}

/** One arm as it happened. */
export interface ArmRun {
  readonly figures: Omit<ArmFigures, 'floorMs'>;
  /** Of the moving VM, one every 100 ms; `atMs` counts from the switch. */
  readonly samples: readonly LoadSample[];
  readonly marks: readonly Mark[];
  /** Page cache of the target's files before its cold start; undefined where it is not known or was not dropped. */
  readonly osResidentBytes: number | undefined;
  /** The moving VM's route, from its change to the connections' swap. */
  readonly switchMs: number;
  /** Part of the processors' time that the machine's host gave to others, at its worst; left out where it is not told. */
  readonly stolenShare?: number;
  readonly migration?: MigrationEvidence;
}

/** What is known of a migration besides its figures. */
export interface MigrationEvidence {
  readonly record: MigrationRecord;
  readonly maps: {
    readonly source: PoolMap;
    readonly before: PoolMap;
    readonly after: PoolMap;
  };
  readonly operationsRead: number | undefined;
  /** Blocks of the VM that stays behind: read at the target during the warming, and in its pool afterwards. */
  readonly strangerBlocks: { readonly read: number; readonly resident: number };
}
