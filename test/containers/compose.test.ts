import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { Composition } from './compose.ts';
import { migrate, reads, scraped, switched } from './moves.ts';

/** docker/compose.yaml as a person uses it: up, a migration, services that are killed in the middle of one. */

const owned = new OwnedProcesses({ handleSignals: false });
// Debian has no Grafana: where its image cannot be had, it is left out.
const grafana = process.env['GRAFANA_IMAGE'] === 'none' ? [] : ['grafana'];
const composition = new Composition({
  owned,
  services: [
    ...['primary', 'db1', 'db2', 'nats', 'db1-agent', 'db2-agent', 'app1', 'hypervisor', 'prometheus'],
    ...grafana,
  ],
});
/** Where app1 reads now, and where it may go. */
let [here, there]: [string, string] = ['db1', 'db2'];

beforeAll(async () => {
  await composition.build();
  await composition.up();
});

beforeEach(({ onTestFailed }) => onTestFailed(async () => console.error(await composition.report())));

afterAll(() => owned.dispose());

const move = (id: string) => ({ id, vm: 'app1', from: here, to: there });

/** Resolves when app1 reads there; then here is there. */
async function arrived(since: Date): Promise<void> {
  await switched(composition, { vm: 'app1', to: there, since });
  [here, there] = [there, here];
}

it('runs agents as an ordinary user, without rights, on a file system that cannot be written', async () => {
  expect(await composition.exec('db1-agent', 'sh', '-c', 'id -u; grep CapEff /proc/self/status')).toMatch(
    /^10001\nCapEff:\s0+\n$/,
  );
  await expect(composition.exec('db1-agent', 'touch', '/opt/forewarm/written')).rejects.toThrow(/Read-only/);
});

it('is scraped by Prometheus', async () => {
  const health = async () => (await scraped(composition)).map((target) => target.health);
  await expect.poll(health, { timeout: 30_000 }).toEqual(['up', 'up']);
});

it('moves the application by one command, and no read of it fails', async () => {
  await reads(composition, 'app1', 'db1');
  const since = new Date();
  expect(await migrate(composition, move('first'))).toMatch(/^db2 is ready for app1/);
  await arrived(since);
  expect(await composition.exec('db1-agent', 'forewarm', 'route', 'get', 'app1')).toContain('db2');
  expect(await composition.logs('app1')).not.toMatch(/ [1-9]\d* failed/);
});

type Victim = readonly [what: string, service: () => string];
const telling: readonly Victim[] = [
  ['NATS', () => 'nats'],
  ['the target', () => there],
  ["the target's agent", () => `${there}-agent`],
];
const others: readonly Victim[] = [
  ["the source's agent", () => `${here}-agent`],
  ['the source', () => here],
  ['the application', () => 'app1'],
  ['the primary', () => 'primary'],
  ['Prometheus', () => 'prometheus'],
];

it.each([...telling, ...(process.env['TEST_COMPOSE'] === 'all' ? others : [])])(
  'goes on after %s was killed in the middle of a migration and brought up again',
  async (what, victim) => {
    // While nobody says that it has arrived, the migration is under way.
    await composition.run('kill', 'hypervisor');
    const since = new Date();
    expect(await migrate(composition, move(`killed-${what.replaceAll(/\W/g, '-')}`))).toContain('ready');
    await composition.run('kill', victim());
    await composition.up();
    await arrived(since);
  },
);

it('drains when it is stopped', async () => {
  await composition.run('stop', 'db2-agent');
  expect(await composition.inspect('db2-agent', '{{.State.ExitCode}}')).toBe('0');
  expect(await composition.logs('db2-agent')).toContain('the agent has stopped');
});
