import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { fetchDebianPackages, libraryFolders } from '../../src/lab/debian-packages.ts';
import { findPrograms } from '../../src/lab/find-program.ts';
import { run } from '../../src/lab/run.ts';

/** The units of docker/systemd, as systemd itself reads them. */

const units = fileURLToPath(new URL('../../docker/systemd', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'forewarm-units-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function verify(unit: string): Promise<string> {
  const [installed] = await findPrograms('systemd-analyze');
  const options = ['verify', join(folder, unit)];
  if (installed !== undefined) return run('sh', ['-c', '"$0" "$@" 2>&1', installed, ...options]);
  const root = await fetchDebianPackages({ as: 'systemd', packages: ['systemd', 'libsystemd-shared'] });
  const folders = await libraryFolders(root);
  return run('sh', ['-c', '"$0" "$@" 2>&1', join(root, 'usr/bin/systemd-analyze'), ...options], {
    env: {
      ...process.env,
      LD_LIBRARY_PATH: folders.flatMap((path) => [path, join(path, 'systemd')]).join(':'),
      SYSTEMD_UNIT_PATH: join(root, 'usr/lib/systemd/system'),
    },
  });
}

const names = readdirSync(units).filter((name) => name.endsWith('.service'));

it.each(names)('%s is one that systemd finds nothing wrong with', async (name) => {
  const text = readFileSync(join(units, name), 'utf8');
  expect(text).toMatch(/^ExecStart=forewarm (agent|watch) /m);
  // Forewarm is not installed on the machine that tests it.
  const unit = name.replace('@.', '@db2.');
  writeFileSync(join(folder, unit), text.replace(/^ExecStart=forewarm/m, `ExecStart=${process.execPath}`));
  expect(await verify(unit)).toBe('');
});
