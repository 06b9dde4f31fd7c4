import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { Composition } from './compose.ts';

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

const showReport = async () => console.error(await composition.report());

beforeAll(async () => {
  await composition.build();
  try {
    await composition.up();
    await expect.poll(() => composition.logs('app1'), { timeout: 30_000 }).toMatch(/db1 \d{2,} reads/);
  } catch (error) {
    await showReport();
    throw error;
  }
});

beforeEach(({ onTestFailed }) => onTestFailed(showReport));

afterAll(() => owned.dispose());

const migrate = (id: string) =>
  composition.exec(
    `${here}-agent`,
    ...['forewarm', 'migrate', '--vm', 'app1', '--from', here, '--to', there],
    ...['--id', id, '--deadline', '40s'],
  );

/** Resolves when app1 has switched there, or begun there because it was away when its route changed, and reads there. */
async function switched(since: Date): Promise<void> {
  const options = { timeout: 60_000, interval: 500 };
  await expect
    .poll(() => composition.logs('app1', since), options)
    .toMatch(new RegExp(`switch \\w+ -> ${there}, .*: completed|begins at ${there}`));
  await expect
    .poll(() => composition.logs('app1', since), options)
    .toMatch(new RegExp(` ${there} \\d+ reads/s, 0 failed`));
  [here, there] = [there, here];
}

it('runs agents as an ordinary user, without rights, on a file system that cannot be written', async () => {
  expect(await composition.exec('db1-agent', 'sh', '-c', 'id -u; grep CapEff /proc/self/status')).toMatch(
    /^10001\nCapEff:\s0+\n$/,
  );
  await expect(composition.exec('db1-agent', 'touch', '/opt/forewarm/written')).rejects.toThrow(/Read-only/);
});

it('is scraped by Prometheus', async () => {
  const url = 'http://127.0.0.1:9090/api/v1/targets?state=active';
  const health = async () => {
    const { data } = JSON.parse(await composition.exec('prometheus', 'wget', '-q', '-O', '-', url));
    return data.activeTargets.map((target: { health: string }) => target.health);
  };
  await expect.poll(health, { timeout: 30_000 }).toEqual(['up', 'up']);
});

it('moves the application by one command, and no read of it fails', async () => {
  const since = new Date();
  expect(await migrate('first')).toMatch(/^db2 is ready for app1/);
  await switched(since);
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
    expect(await migrate(`killed-${what.replaceAll(/\W/g, '-')}`)).toContain('ready');
    await composition.run('kill', victim());
    await composition.up();
    await switched(since);
  },
);

it('drains when it is stopped', async () => {
  await composition.run('stop', 'db2-agent');
  expect(await composition.inspect('db2-agent', '{{.State.ExitCode}}')).toBe('0');
  expect(await composition.logs('db2-agent')).toContain('the agent has stopped');
});
