import type { LoadSample } from '../../lab/app-messages.ts';
import type { MigrationEvidence } from '../../lab/experiment/result.ts';
import type { MemoryUse } from '../../lib/memory-use.ts';
import { type Control, type Drift, driftAt } from '../drift.ts';
import type { ResidentsSettings } from './settings.ts';

/** What one resident felt of one arm. */
export interface ResidentRun {
  readonly vm: string;
  readonly before: LoadSample;
  /** From the begin of the warming to its end; undefined where nothing was warmed. */
  readonly during: LoadSample | undefined;
  /** From the arrival of the VM on. */
  readonly after: LoadSample;
  /** Its blocks of heat 3 and more in the pool before. */
  readonly hotBlocks: number;
  /** Of those, not in the pool at the end of the warming, and at the end of the arm. */
  readonly lostBlocks: { readonly warmed: number; readonly end: number };
  /** Its blocks that it did not find in the pool, in either stretch. */
  readonly missedBlocks: { readonly during: number; readonly after: number };
  /** One every 100 ms; `atMs` counts from the begin of the warming. */
  readonly samples: readonly LoadSample[];
}

export interface ArmRun {
  readonly arm: string;
  readonly repetition: number;
  readonly drift: Drift;
  readonly residents: readonly ResidentRun[];
  /** Undefined where nobody warms. */
  readonly readyMs: number | undefined;
  /** Of the target, the residents' own reads meanwhile among them. */
  readonly bytesRead: number | undefined;
  readonly operationsRead: number | undefined;
  /** What the VM that came felt; undefined where none came. */
  readonly mover: LoadSample | undefined;
  /** Of the target's server when the arm began. */
  readonly memory: MemoryUse | undefined;
  readonly failedQueries: number;
  /** Part of the processors' time that the machine's host gave to others, at its worst; undefined where it is not told. */
  readonly stolenShare: number | undefined;
  /** Part of the processors' time that was in use, by all that runs here; undefined where it is not told. */
  readonly busyShare: { readonly before: number | undefined; readonly during: number | undefined };
  /** When the VM's connections took over, in ms from the begin of the warming. */
  readonly arrivedMs: number | undefined;
  readonly record?: MigrationEvidence['record'];
}

/** A run before it is known how fast the machine was behind it. */
export type Seen = Omit<ArmRun, 'drift'>;

type Limit = { readonly limited: boolean; readonly reason?: string };

export interface ResidentsBench {
  readonly settings: ResidentsSettings;
  readonly version: string;
  readonly device: { readonly throttled: boolean; readonly reason?: string; readonly id?: string };
  readonly pageCache: Limit;
  readonly runs: readonly ArmRun[];
  /** Made again, for the machine's host was busy with others. They count for nothing. */
  readonly setAside: readonly Seen[];
}

/** By what the busiest resident does when it is left alone. */
export function withDrift(seen: readonly Seen[]): readonly ArmRun[] {
  const controls = seen.flatMap(({ arm, residents }, at): Control[] => {
    const during = arm === 'undisturbed' ? residents[0]?.during : undefined;
    if (during === undefined) return [];
    return [{ at, tps: (during.transactions * 1_000) / during.durationMs, p50Ms: during.p50Ms }];
  });
  return seen.map((run, at) => ({ ...run, drift: driftAt(controls, at) }));
}
