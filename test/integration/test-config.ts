import type { AgentConfig } from '../../src/config/options.ts';

/** What agents of tests have in common: limits as installed, no log, a port of their own. */
export const testConfig = {
  http: { listen: { host: '127.0.0.1', port: 0 } },
  log: { level: 'silent' },
  warm: {
    goal: 0.95,
    maxPoolFraction: 0.8,
    osCacheFraction: 0.5,
    residentsDiskFraction: 0.2,
    chunkBytes: 4 * 2 ** 20,
    maxLagMs: 10_000,
    connections: 2,
  },
} as const satisfies Partial<AgentConfig>;
