import { release } from 'node:os';
import type { EngineKind } from '../engines/engine.ts';
import type { DiskProfile } from '../lab/disk-profiles.ts';
import type { Stage } from '../lab/experiment/site.ts';
import type { OwnedProcesses } from '../lab/owned-processes.ts';
import { forewarmVersion } from '../lib/version.ts';
import type { RenderTable } from './tables.ts';

/** One benchmark that says of itself what it is; `suites.ts` lists them all. */
export interface Suite {
  /** On the command line: a-z and -. */
  readonly name: string;
  /** One line, without its name. */
  readonly measures: string;
  /** Of the machine: rights, disk, memory. */
  readonly needs: string;
  /** In words, full and with `--quick`: `6 min (--quick 2 min)`. */
  readonly takes: string;
  /** Database products that it runs on, the default first; none where it starts no database of a choice. */
  readonly engines?: readonly EngineKind[];
  /** Disks that it can be held to, the default first; none where a disk has no part in it. */
  readonly devices?: readonly DiskProfile[];
  /** What `--live` does, where there is such an option. */
  readonly live?: string;
  /** How often each arm runs without `--repetitions` and `--quick`. */
  readonly repetitions: number;
  /** All that will be done, in order, for the progress view. */
  stages(options: SuiteOptions): readonly Stage[];
  /** Ends when all was measured; what it starts, it starts through `lab.owned`. */
  run(options: SuiteOptions, lab: SuiteLab): Promise<SuiteOutcome>;
}

/** The options that every suite has; those that it has no use for hold its own defaults. */
export interface SuiteOptions {
  readonly engine: EngineKind;
  readonly device: DiskProfile;
  /** Least data, one repetition: to see that it works, not for figures. */
  readonly quick: boolean;
  /** Moves real guests. */
  readonly live?: boolean;
  readonly seed: number;
  readonly repetitions: number;
}

/** What a suite gets from whoever runs it. */
export interface SuiteLab {
  readonly owned: OwnedProcesses;
  /** Called at the begin of each stage. */
  readonly onStage: (stage: Stage) => void;
  /** Takes the agents' logs, by replica. */
  readonly onLogs: (logs: Readonly<Record<string, string>>) => void;
  /** Called after each arm with what the outcome would be if the suite ended there, as it may. */
  readonly onPartial: (outcome: () => SuiteOutcome) => void;
}

/** What came out of a suite. */
export interface SuiteOutcome {
  /** Of what was measured beside Forewarm itself: `{ postgres: '18.4' }`. */
  readonly versions: Readonly<Record<string, string>>;
  /** All that it was run with, the options' consequences included. */
  readonly settings: object;
  /** What two runs can be compared by. */
  readonly figures: readonly Figure[];
  /** Everything that was seen, every sample; its keys stand beside the envelope's in results.json. */
  readonly seen: object;
  /** The result for a terminal. */
  text(renderTable: RenderTable): string;
  /** The result as one HTML file that needs nothing else. */
  report(): string;
  /** SVG by name (a-z, 0-9 and -), for a page of one's own. */
  pictures?(): Readonly<Record<string, string>>;
}

/** One measured quantity with a value for each repetition, in their order, or every sample of it. */
export interface Figure {
  /** Of what: an arm, a scenario, a size; empty where there is one only. */
  readonly of: string;
  readonly name: string;
  readonly unit: 'ms' | 'bytes' | 'operations' | 'per second' | 'share' | 'ratio' | 'count';
  readonly better: 'less' | 'more';
  /** What of the values counts; their median by default. */
  readonly statistic?: 'median' | 'p99';
  readonly values: readonly number[];
}

/** Why a run did not come to its end: the rest of its results is what was measured until then. */
export interface Incomplete {
  /** `ended by SIGINT`, or what failed. */
  readonly reason: string;
  /** What was under way. */
  readonly stage?: string;
}

/** The document of results.json; `incomplete` stands in it where the run did not come to its end. */
export function resultsOf(
  suite: Pick<Suite, 'name'>,
  options: SuiteOptions,
  { outcome, incomplete }: { readonly outcome: SuiteOutcome; readonly incomplete?: Incomplete },
) {
  const { versions, settings, figures, seen } = outcome;
  return {
    suite: suite.name,
    at: new Date().toISOString(),
    ...(incomplete === undefined ? {} : { incomplete }),
    options,
    versions: {
      forewarm: forewarmVersion,
      ...versions,
      node: process.versions.node,
      kernel: release(),
    },
    settings,
    figures,
    ...seen,
  };
}
