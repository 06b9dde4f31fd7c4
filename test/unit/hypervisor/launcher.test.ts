import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { launcherScript } from '../../../src/hypervisor/libvirt-install.ts';

/** The launcher as a shell runs it, around a hook that ends in one way or another. */

function launch(script: string, boundMs = 10_000) {
  const command = ['/bin/sh', '-c', script, 'hook'];
  const text = launcherScript({ command, timeout: '/usr/bin/timeout', boundMs, config: '/x y' });
  const args = ['-c', text, 'qemu', 'app1', 'migrate', 'begin', '-'];
  const { status, stdout, stderr } = spawnSync('/bin/sh', args, { input: '<domain/>', encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('hands arguments, stdin and the configuration on, and nothing comes to stdout', () => {
  const result = launch('cat >&2; echo "|$*|$FOREWARM_CONFIG" >&2; echo noise');
  expect(result).toEqual({ status: 0, stdout: '', stderr: '<domain/>|app1 migrate begin -|/x y\n' });
});

test.each(['<&-', '2>&-', '<&- >&- 2>&-'])(
  'closed from the start (%s), it lets the guest go on',
  (closed) => {
    const options = { timeout: '/usr/bin/timeout', boundMs: 10_000, config: undefined };
    const text = launcherScript({ ...options, command: ['/bin/true'] });
    const args = [
      '-c',
      `"$@" ${closed}`,
      'sh',
      '/bin/sh',
      '-c',
      text,
      'qemu',
      'app1',
      'migrate',
      'begin',
      '-',
    ];
    expect(spawnSync('/bin/sh', args, { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '' });
  },
);

test('a refusal is a failure for libvirt', () =>
  expect(launch('exit 77')).toMatchObject({ status: 1, stdout: '' }));

test.each([
  ['SIGUSR2', 0],
  ['SIGVTALRM', 1],
])('a hook that ends itself by %s has said %i', (signal, status) =>
  expect(launch(`echo why >&2; kill -${signal.slice(3)} $$`)).toEqual({
    status,
    stdout: '',
    stderr: 'why\n',
  }),
);

test.each([
  ['a crash', 'exit 1', 10_000, 'ended with 1'],
  ['a program that is not there', 'exec /nowhere/node', 10_000, 'ended with 127'],
  ['a signal', 'kill -9 $$', 10_000, 'ended with 137'],
  ['a hook that hangs', 'sleep 30', 1_000, 'not within 1 s'],
])('%s lets the guest go on', (_, script, boundMs, line) => {
  const result = launch(script, boundMs);
  expect(result).toMatchObject({ status: 0, stdout: '' });
  expect(result.stderr).toContain(line);
});
