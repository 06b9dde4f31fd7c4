import type { ArmRun } from '../lab/experiment/result.ts';
import type { MigrationRecord } from '../messages/record.ts';
import { armOf } from './goals.ts';

/** Where the time between intent and ready went in one run, in ms. */
export interface ReadySteps {
  readonly acceptedMs: number;
  /** The source's burst of samples and its work set, its transfer, and the first look at the target. */
  readonly plannedMs: number;
  readonly readingMs: number;
  /** What is left: heat, the second look, the replay lag. */
  readonly restMs: number;
  readonly throttledMs: number;
  readonly bytesWanted: number;
  /** By the agent's plan, bridged gaps included. */
  readonly bytesPlanned: number;
  /** By the kernel's counters, read-ahead included. */
  readonly bytesRead: number;
  readonly operations: number | undefined;
}

export function readyStepsOf(runs: readonly ArmRun[]): readonly ReadySteps[] {
  return armOf(runs, 'forewarm').flatMap(({ figures, migration }) => {
    if (migration === undefined) return [];
    const { record, operationsRead } = migration;
    const published = Date.parse(record.issuedAt);
    const at = (time: string | undefined) => (time === undefined ? 0 : Date.parse(time) - published);
    const readingMs = record.warmed?.ms ?? 0;
    return [
      {
        acceptedMs: at(record.acceptedAt),
        plannedMs: at(record.warmingAt) - at(record.acceptedAt),
        readingMs,
        restMs: figures.readyMs - at(record.warmingAt) - readingMs,
        throttledMs: Object.values(record.warmed?.throttledMs ?? {}).reduce((sum, ms) => sum + ms, 0),
        bytesWanted: (record.warmed?.blocks ?? 0) * blockBytesOf(record),
        bytesPlanned: record.warmed?.bytesRead ?? 0,
        bytesRead: figures.bytesRead,
        operations: operationsRead,
      },
    ];
  });
}

function blockBytesOf({ workSet }: MigrationRecord): number {
  return workSet === undefined || workSet.blocks === 0 ? 0 : workSet.bytes / workSet.blocks;
}
