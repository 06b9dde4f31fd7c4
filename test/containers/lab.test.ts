import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, expect, it } from 'vitest';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { run } from '../../src/lab/run.ts';
import { siblingScript } from '../../src/lab/sibling-script.ts';

/** Servers in containers: what becomes of those that die, and of those whose tests die. */

process.env['TEST_SERVERS'] = 'containers';
const owned = new OwnedProcesses({ handleSignals: false });
afterAll(() => owned.dispose());

const list = async (kind: 'container' | 'network') => {
  const all = kind === 'container' ? ['--all'] : [];
  const ids = await run('docker', [kind, 'ls', ...all, '--quiet', '--filter', 'label=forewarm.lab']);
  return ids.split('\n').filter(Boolean);
};

it('shows what a container wrote before it died', async () => {
  const started = startPostgresCluster({ owned, settings: { no_such_setting: 1 } });
  await expect(started).rejects.toThrow(/unrecognized configuration parameter "no_such_setting"/);
});

it('leaves nothing behind when the process that holds it is killed', async () => {
  const before = { containers: await list('container'), networks: await list('network') };
  const holder = spawn(process.execPath, siblingScript(import.meta.url, 'lab-holder'), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  expect((await list('container')).length).toBe(before.containers.length + 1);
  holder.kill('SIGKILL');
  const options = { timeout: 30_000, interval: 200 };
  await expect.poll(() => list('container'), options).toEqual(before.containers);
  await expect.poll(() => list('network'), options).toEqual(before.networks);
});
