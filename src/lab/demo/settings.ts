import type { EngineKind } from '../../engines/engine.ts';
import type { ExperimentOptions } from '../experiment/run-experiment.ts';

type Settings = Omit<ExperimentOptions, 'owned' | 'onStage'>;

export interface DemoSettings extends Settings {
  readonly hotShare: number;
  readonly hotPlace: NonNullable<Settings['hotPlace']>;
}

const common = {
  device: 'gp3',
  neighbourTableMb: 48,
  seed: 7,
  clientCount: 8,
  fillMs: 5_000,
  repetitions: 1,
} as const satisfies Partial<Settings>;

/** InnoDB reads a page of 16 KiB an operation, 49 MB a second of the device: some 4 s for the table. */
const innodb = {
  ...common,
  poolMb: 384,
  tableMb: 192,
  hotShare: 1,
  hotPlace: 'scattered',
  pace: { before: 4_000, after: 4_000 },
} as const satisfies Partial<Settings>;

/** The demo's sizes: three servers below 2 GB of disk, three arms below two minutes. */
export const demoSettings: Readonly<Record<EngineKind, DemoSettings>> = {
  postgres: {
    ...common,
    engine: 'postgres',
    poolMb: 256,
    tableMb: 320,
    hotShare: 0.4,
    hotPlace: 'scattered',
    pace: { before: 5_000, after: 5_000 },
  },
  mariadb: { ...innodb, engine: 'mariadb' },
  mysql: { ...innodb, engine: 'mysql' },
};
