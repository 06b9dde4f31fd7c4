import type { ExperimentOptions } from '../experiment/run-experiment.ts';

/** The demo's sizes: three servers below 2 GB of disk, three arms below two minutes. */
export const demoSettings = {
  device: 'gp3',
  sharedBuffers: '256MB',
  tableMb: 320,
  neighbourTableMb: 48,
  seed: 7,
  clientCount: 8,
  hotShare: 0.4,
  pace: { before: 5_000, after: 5_000 },
  fillMs: 7_000,
  repetitions: 1,
} as const satisfies Omit<ExperimentOptions, 'owned' | 'onStage'>;
