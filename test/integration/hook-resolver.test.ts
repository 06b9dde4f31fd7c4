import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { comingXml, HookHost } from './hook-host.ts';

/** A resolver that never answers, in a network of its own: the system's library asks it for longer than any wait. */

const folder = mkdtempSync(join(tmpdir(), 'forewarm-resolver-'));
const unshare = ['unshare', '--mount', '--net', '--map-root-user'];
const canIsolate = spawnSync(unshare[0]!, [...unshare.slice(1), 'true']).status === 0;
let host: HookHost;

const silentResolver = `
const socket = require('node:dgram').createSocket('udp4').bind(53, '127.0.0.1', () => console.log('bound'));
`;
const inside = `
ip link set lo up
mount --bind "$1/resolv.conf" /etc/resolv.conf
node -e "$2" > "$1/bound" &
resolver=$!
while ! grep -q bound "$1/bound"; do sleep 0.05; done
"$3" app1 migrate begin - < "$1/xml"
status=$?
kill $resolver
exit $status
`;

beforeAll(async () => {
  await HookHost.build(join(folder, 'bundle'));
  host = new HookHost(join(folder, 'hv2'), {});
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:30 attempts:5\n');
  writeFileSync(join(folder, 'xml'), comingXml);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.skipIf(!canIsolate).each([
  ['proceed', 0, 'the time is up; going on without'],
  ['require', 1, 'the time is up; refused by policy require'],
])('a name that does not resolve holds no guest: policy %s', (policy, status, line) => {
  const nats = { url: 'nats://nats.example:4222' };
  host.configure({ nats, policy, host: 'hv2', hosts: { hv1: 'db1', hv2: 'db2' }, wait: '1s' });
  const args = ['sh', '-c', inside, 'sh', folder, silentResolver, host.launcher];
  // Far below the resolver's own 150 s: the launcher's last bound is a minute.
  const result = spawnSync(unshare[0]!, [...unshare.slice(1), ...args], {
    encoding: 'utf8',
    timeout: 40_000,
  });
  expect(result).toMatchObject({ status, stdout: '' });
  expect(result.stderr).toContain(line);
});
