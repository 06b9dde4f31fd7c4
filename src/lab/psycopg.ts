import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchDebianPackages, libraryFolders } from './debian-packages.ts';

/** How to run a Python that can import psycopg2 and psycopg. */
export interface Psycopg {
  readonly python: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Debian's Python with both drivers, unpacked into the cache; this machine's own Python where it is Debian's. */
export async function locatePsycopg(): Promise<Psycopg> {
  const root = await fetchDebianPackages({
    as: 'psycopg',
    packages: ['python3-psycopg', 'python3-psycopg2', 'libpq5'],
  });
  const unpacked = join(root, 'usr/bin/python3');
  const has = await access(unpacked).then(
    () => true,
    () => false,
  );
  const folders = await libraryFolders(root);
  return {
    python: has ? unpacked : '/usr/bin/python3',
    env: {
      PYTHONPATH: join(root, 'usr/lib/python3/dist-packages'),
      LD_LIBRARY_PATH: folders.join(':'),
      // psycopg asks ldconfig for libpq, which knows nothing of unpacked packages.
      FOREWARM_LIBPQ: await firstThat(folders.map((folder) => join(folder, 'libpq.so.5'))),
    },
  };
}

async function firstThat(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return 'libpq.so.5';
}
