import { chmod, lstat, mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isRoot } from '../../../src/lab/cache-dir.ts';
import { locatePostgres, usableCopy } from '../../../src/lab/postgres-binaries.ts';

let folder: string;
let native: string;

/** A package as npm unpacks it without its postinstall: the symbolic links are a list only. */
beforeEach(async () => {
  folder = await mkdtemp('/var/tmp/forewarm-binaries-');
  await chmod(folder, 0o755);
  native = join(folder, 'home/package/native');
  await mkdir(join(native, 'bin'), { recursive: true });
  await mkdir(join(native, 'lib'));
  await writeFile(join(native, '../package.json'), '{"version":"18.4.0-beta.17"}');
  await writeFile(join(native, 'bin/postgres'), 'program', { mode: 0o755 });
  await writeFile(join(native, 'lib/libpq.so.5.18'), 'library');
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }];
  await writeFile(join(native, 'pg-symlinks.json'), JSON.stringify(links));
  vi.stubEnv('FOREWARM_CACHE', join(folder, 'cache'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

test('missing links are made in place', async () => {
  expect(await usableCopy(native)).toBe(native);
  expect(await readlink(join(native, 'lib/libpq.so.5'))).toBe('libpq.so.5.18');
  expect(await usableCopy(native)).toBe(native);
});

test('what the servers cannot read, or nobody may write, is copied to the cache', async () => {
  // Root may write everywhere, but its servers run as somebody else; other users may not write here.
  if (isRoot()) await chmod(join(folder, 'home'), 0o700);
  else await chmod(join(native, 'lib'), 0o555);
  const copy = await usableCopy(native);
  await chmod(join(native, 'lib'), 0o755);
  expect(copy).toBe(join(folder, 'cache/pg-copy-18.4.0-beta.17'));
  expect(await readFile(join(copy, 'lib/libpq.so.5'), 'utf8')).toBe('library');
  expect((await lstat(join(copy, 'bin/postgres'))).mode & 0o777).toBe(0o755);
  await expect(lstat(join(native, 'lib/libpq.so.5'))).rejects.toThrow('ENOENT');
});

test('a folder without PostgreSQL is named', async () => {
  await expect(locatePostgres({ binDir: join(folder, 'empty') })).rejects.toThrow(join(folder, 'empty'));
});
