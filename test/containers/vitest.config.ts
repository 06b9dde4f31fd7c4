import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Apart from `npm test`: it needs images, which test/containers/run brings. */
export default defineConfig({
  root,
  test: {
    name: 'compose',
    include: ['test/containers/**/*.test.ts'],
    // One composition at a time, where there are two.
    maxWorkers: process.env['TEST_COMPOSE'] === 'all' ? 1 : 2,
    testTimeout: 240_000,
    hookTimeout: 600_000,
  },
});
