import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { Composition } from './compose.ts';

/** docker/compose.yaml as a person uses it: up, a migration, services that are killed in the middle of one. */

const services = [
  'primary',
  'db1',
  'db2',
  'nats',
  'db1-agent',
  'db2-agent',
  'app1',
  'hypervisor',
  'prometheus',
];
const composition = new Composition(
  process.env['GRAFANA_IMAGE'] === 'none' ? services : [...services, 'grafana'],
);
/** Where app1 reads now, and where it may go. */
let [here, there]: [string, string] = ['db1', 'db2'];

beforeAll(async () => {
  await composition.build();
  await composition.up();
  await expect.poll(() => composition.logs('app1'), { timeout: 30_000 }).toMatch(/db1 \d{2,} reads/);
});

afterAll(() => composition.down());

const migrate = (id: string) =>
  composition.exec(
    `${here}-agent`,
    ...[
      'forewarm',
      'migrate',
      '--vm',
      'app1',
      '--from',
      here,
      '--to',
      there,
      '--id',
      id,
      '--deadline',
      '40s',
    ],
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
  const targets = () =>
    composition.exec(
      'prometheus',
      'wget',
      '-q',
      '-O',
      '-',
      'http://127.0.0.1:9090/api/v1/targets?state=active',
    );
  await expect.poll(targets, { timeout: 20_000 }).toMatch(/"lastScrape":"2/);
});

it('moves the application by one command, and no read of it fails', async () => {
  const since = new Date();
  expect(await migrate('first')).toMatch(/^db2 is ready for app1/);
  await switched(since);
  expect(await composition.exec('db1-agent', 'forewarm', 'route', 'get', 'app1')).toContain('db2');
  expect(await composition.logs('app1')).not.toMatch(/ [1-9]\d* failed/);
});

const victims: readonly (readonly [what: string, service: () => string])[] = [
  ['NATS', () => 'nats'],
  ['the target', () => there],
  ["the target's agent", () => `${there}-agent`],
  ["the source's agent", () => `${here}-agent`],
  ['the application', () => 'app1'],
  ['the primary', () => 'primary'],
];

it.each(victims)(
  'goes on after %s was killed in the middle of a migration and brought up again',
  async (what, victim) => {
    onTestFailed(async () => {
      console.error(await composition.run('logs', '--tail', '25', '--no-color'));
    });
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
