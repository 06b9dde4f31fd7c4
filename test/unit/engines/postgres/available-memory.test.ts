import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { availableMemoryBytes } from '../../../../src/engines/postgres/available-memory.ts';

/** Folders that stand for the kernel's: no test may count on the groups of the machine that it runs on. */
function kernel(files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), 'forewarm-kernel-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const all = { 'proc/meminfo': 'MemTotal: 2000 kB\nMemAvailable:   1000 kB\n', ...files };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return { proc: join(root, 'proc'), groups: join(root, 'cgroup') };
}

const server = { 'proc/7/comm': 'postgres\n', 'proc/7/cgroup': '0::/db.slice/pg.service\n' };
const stat = 'anon 10000\nfile 90000\nshmem 50000\n';

test('without a limit around the server it is the host that counts', async () => {
  const folders = kernel({ ...server, 'cgroup/db.slice/pg.service/memory.max': 'max\n' });
  expect(await availableMemoryBytes(7, folders)).toBe(1_024_000);
});

test('the narrowest group above the server counts, less what is no page cache there', async () => {
  const folders = kernel({
    ...server,
    'cgroup/db.slice/memory.max': '200000\n',
    'cgroup/db.slice/memory.current': '110000\n',
    'cgroup/db.slice/memory.stat': stat,
    'cgroup/db.slice/pg.service/memory.max': '900000\n',
    'cgroup/db.slice/pg.service/memory.current': '100000\n',
    'cgroup/db.slice/pg.service/memory.stat': stat,
  });
  expect(await availableMemoryBytes(7, folders)).toBe(200_000 - 70_000);
});

test('version 1 likewise, what lies below the group included', async () => {
  const folders = kernel({
    'proc/7/comm': 'postgres\n',
    'proc/7/cgroup': '9:cpu,cpuacct:/x\n4:memory:/pg\n',
    'cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'cgroup/memory/pg/memory.limit_in_bytes': '80000\n',
    'cgroup/memory/pg/memory.usage_in_bytes': '100000\n',
    'cgroup/memory/pg/memory.stat': 'cache 1\nshmem 1\ntotal_cache 90000\ntotal_shmem 20000\n',
  });
  expect(await availableMemoryBytes(7, folders)).toBe(50_000);
});

test('a number that is no process of PostgreSQL here says nothing, and no kernel says nothing', async () => {
  const limits = { 'cgroup/db.slice/memory.max': '1\n' };
  expect(await availableMemoryBytes(7, kernel({ ...server, ...limits, 'proc/7/comm': 'node\n' }))).toBe(
    1_024_000,
  );
  expect(await availableMemoryBytes(7, kernel({ 'proc/meminfo': '' }))).toBeNull();
});
