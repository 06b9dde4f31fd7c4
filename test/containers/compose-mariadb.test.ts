import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { Composition } from './compose.ts';
import { migrate, reads, scraped, switched } from './moves.ts';

/** The profile `mariadb` of docker/compose.yaml. */
describe.runIf(process.env['TEST_COMPOSE'] === 'all')('the profile mariadb', () => {
  const owned = new OwnedProcesses({ handleSignals: false });
  const composition = new Composition({
    owned,
    services: ['mdb1-agent', 'mdb2-agent', 'app2', 'hypervisor', 'prometheus'],
  });

  beforeAll(async () => {
    await composition.build();
    await composition.up();
  });

  beforeEach(({ onTestFailed }) => onTestFailed(async () => console.error(await composition.report())));

  afterAll(() => owned.dispose());

  it('moves the application by one command there and back, and no read of it fails', async () => {
    await reads(composition, 'app2', 'mdb1');
    for (const [from, to] of [
      ['mdb1', 'mdb2'],
      ['mdb2', 'mdb1'],
    ] as const) {
      const since = new Date();
      const move = { id: `mariadb-to-${to}`, vm: 'app2', from, to };
      expect(await migrate(composition, move)).toMatch(new RegExp(`^${to} is ready for app2`));
      await switched(composition, { ...move, since });
    }
    expect(await composition.logs('app2')).not.toMatch(/ [1-9]\d* failed/);
  });

  it('is scraped by Prometheus', async () => {
    const up = async () => (await scraped(composition)).filter(({ health }) => health === 'up');
    for (const agent of ['mdb1-agent', 'mdb2-agent']) {
      await expect
        .poll(up, { timeout: 60_000 })
        .toContainEqual(expect.objectContaining({ instance: `${agent}:9464` }));
    }
  });
});
