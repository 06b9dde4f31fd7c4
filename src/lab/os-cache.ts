import { execFile } from 'node:child_process';
import { run } from './run.ts';

/**
 * Takes the files below a folder out of the operating system's page cache; other files keep theirs. Written
 * pages are put on the disk first, since dirty ones cannot be dropped. Pages that a process has mapped stay.
 */
export async function dropOsCache(dir: string): Promise<void> {
  await run('find', [dir, '-type', 'f', '-size', '+0', '-exec', 'sync', '-d', '{}', '+']);
  // A count of 0 reads nothing: `nocache` then advises the kernel to drop the whole file.
  const drop = 'for file; do dd if="$file" iflag=nocache count=0 status=none; done';
  await run('find', [dir, '-type', 'f', '-size', '+0', '-exec', 'sh', '-c', drop, 'sh', '{}', '+']);
}

/** Bytes of the folder's files in the page cache; undefined where `fincore` (util-linux) is not installed. */
export async function residentBytes(dir: string): Promise<number | undefined> {
  const args = [
    dir,
    '-type',
    'f',
    '-size',
    '+0',
    '-exec',
    'fincore',
    '--bytes',
    '--noheadings',
    '--output',
    'RES',
    '{}',
    '+',
  ];
  if (!(await hasFincore())) return undefined;
  return sumOfLines(await run('find', args));
}

export function sumOfLines(text: string): number {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .reduce((sum, line) => sum + Number(line), 0);
}

function hasFincore(): Promise<boolean> {
  return new Promise((resolve) => execFile('fincore', ['--version'], (error) => resolve(error === null)));
}
