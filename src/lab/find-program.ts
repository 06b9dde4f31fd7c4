import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Paths of the programs of that name on this machine: those of PATH, then the folders of daemons. */
export async function findPrograms(name: string): Promise<string[]> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/libexec'];
  const paths = [...new Set(folders.filter(Boolean).map((folder) => join(folder, name)))];
  const runnable = await Promise.all(paths.map(isExecutable));
  return paths.filter((_, index) => runnable[index]);
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
