import { expect, test } from 'vitest';
import { Profiles } from '../../../src/agent/profiles.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import type { AgentConfig } from '../../../src/config/options.ts';
import type { Engine, Observation, VmObservation } from '../../../src/engines/engine.ts';
import { silentLogger } from '../../../src/lib/logger.ts';

const seen = (of: Partial<VmObservation>): VmObservation => ({
  ...{ blocks: 100, blocksHit: 100, blocksRead: 0, splitBlocks: 0, unexplained: [] },
  relations: [{ ref: { database: 'app', schema: 'public', name: 't', kind: 'table' }, oid: 1, blocks: 100 }],
  ...of,
});

/** Profiles over an observer that tells this of VMs, and how often it was asked. */
function watching(vms: Readonly<Record<string, VmObservation>>) {
  const asked = { samples: 0, collects: 0 };
  const observer = {
    async sample() {
      asked.samples += 1;
    },
    async collect(): Promise<Observation> {
      asked.collects += 1;
      return { windowMs: 1_000, vms: new Map(Object.entries(vms)), unmatched: { sessions: 0, blocks: 0 } };
    },
  };
  const profiles = new Profiles({
    config: {
      replica: 'db1',
      vms: [],
      observe: { intervalMs: 1_000, collectMs: 10_000, halfLifeMs: 60_000, burstMs: 100 },
    } as unknown as AgentConfig,
    engine: { observer } as unknown as Engine,
    broker: {} as Broker,
    logger: silentLogger,
    metrics: { samplingFailed: () => {} },
  });
  return { profiles, asked };
}

test('of a VM whose statements are counted exactly, an intent brings the newest counts without a burst', async () => {
  const { profiles, asked } = watching({ app1: seen({}) });
  await profiles.collect();
  await profiles.sharpen('app1');
  expect(asked).toEqual({ samples: 0, collects: 2 });
});

test.each([
  ['one that shares its role', 'app1', seen({ splitBlocks: 50 })],
  [
    'one that is not explained',
    'app1',
    seen({ unexplained: [{ database: 'app', queryId: '7', blocks: 5, reason: 'a lock' }] }),
  ],
  ['one that was never seen', 'app2', seen({})],
])('a burst of samples goes ahead for %s', async (_, vm, of) => {
  const { profiles, asked } = watching({ app1: of });
  await profiles.collect();
  await profiles.sharpen(vm);
  expect(asked.samples).toBeGreaterThan(1);
  expect(asked.collects).toBe(2);
});
