import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dropOsCache, residentBytes } from '../../../src/lab/os-cache.ts';

const page = 4096;
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'os-cache-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

test('files that come and go during the walk are passed over', async () => {
  await Promise.all(Array.from({ length: 300 }, (_, index) => writeFile(join(dir, `stays-${index}`), 'x')));
  const resident = await besideChurn(async () => {
    await dropOsCache(dir);
    return residentBytes(dir);
  });
  // Without `fincore` there is nothing to count.
  if (resident !== undefined) expect(resident).toBeLessThanOrEqual(600 * page);
});

test('a folder that is not there is told', async () => {
  const missing = join(dir, 'missing');
  await expect(dropOsCache(missing)).rejects.toThrow(/missing.*No such file/);
});

/** Files are created and removed again and again meanwhile, as a server does with its caches of catalogues. */
async function besideChurn<T>(body: () => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const churn = comeAndGo(stop.signal);
  try {
    return await body();
  } finally {
    stop.abort();
    await churn;
  }
}

async function comeAndGo(signal: AbortSignal): Promise<void> {
  const files = Array.from({ length: 300 }, (_, index) => join(dir, `goes-${index}`));
  while (!signal.aborted) {
    await Promise.all(files.map((file) => writeFile(file, 'x')));
    await Promise.all(files.map((file) => rm(file)));
  }
}
