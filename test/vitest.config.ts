import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { containersWanted } from '../src/lab/containers/wanted.ts';
import { localOnly } from './local-only.ts';
import { LongestFirst } from './longest-first.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const inContainers = containersWanted();
const leftOut = Object.keys(localOnly).map((name) => `test/integration/${name}.test.ts`);

/** A condition that comes late on a busy machine is no fault. */
const patient = { expect: { poll: { timeout: 15_000 } } };

export default defineConfig({
  root,
  test: {
    globalSetup: ['test/build.ts'],
    // For two cores: most of what a test does is to wait for its servers.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        root,
        test: {
          ...patient,
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // Most take less time than a process of their own would.
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        root,
        test: {
          ...patient,
          name: 'integration',
          // Real servers on a busy machine: one more try, a real fault fails it too.
          retry: 1,
          include: ['test/integration/**/*.test.ts'],
          exclude: inContainers ? leftOut : [],
          globalSetup: ['test/integration/setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        root,
        test: {
          ...patient,
          name: 'faults',
          retry: 1,
          include: ['test/faults/**/*.test.ts'],
          // Faults are signals to processes.
          exclude: inContainers ? ['**'] : [],
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
