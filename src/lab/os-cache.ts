import { execFile } from 'node:child_process';
import { run } from './run.ts';

/**
 * Takes the files below a folder out of the operating system's page cache; other files keep theirs. Written
 * pages are put on the disk first, since dirty ones cannot be dropped. Pages that a process has mapped stay.
 * A running server's files may come and go meanwhile.
 */
export async function dropOsCache(dir: string): Promise<void> {
  // All at once where none vanishes meanwhile: a process for each file takes seconds where there are a thousand.
  const synced = await run('find', [...filesIn(dir), '-exec', 'sync', '-d', '{}', '+']).then(
    () => true,
    () => false,
  );
  // A count of 0 reads nothing: `nocache` then advises the kernel to drop the whole file.
  const drop = 'dd iflag=nocache count=0 status=none';
  await onEachFile(dir, synced ? drop : `sync -d /dev/stdin && ${drop}`);
}

/** Bytes of the folder's files in the page cache; undefined where `fincore` (util-linux) is not installed. */
export async function residentBytes(dir: string): Promise<number | undefined> {
  if (!(await hasFincore())) return undefined;
  const fincore = ['fincore', '--bytes', '--noheadings', '--output', 'RES'];
  const seen = run('find', [...filesIn(dir), '-exec', ...fincore, '{}', '+']);
  return sumOfLines(await seen.catch(() => onEachFile(dir, `${fincore.join(' ')} /dev/stdin`)));
}

/**
 * Runs a command for each file that is not empty, as its stdin, and gives what all printed. A file that vanished
 * is passed over, also one that has come anew by then.
 */
function onEachFile(dir: string, command: string): Promise<string> {
  const passedOver = '[ ! -e "$file" ] || [ -r "$file" ]';
  const loop = `for file; do { ${command} || exit 1; } <"$file" || ${passedOver} || exit 1; done`;
  return run('find', [...filesIn(dir), '-exec', 'sh', '-c', loop, 'sh', '{}', '+']);
}

const filesIn = (dir: string): string[] => [dir, '-ignore_readdir_race', '-type', 'f', '-size', '+0'];

export function sumOfLines(text: string): number {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .reduce((sum, line) => sum + Number(line), 0);
}

function hasFincore(): Promise<boolean> {
  return new Promise((resolve) => execFile('fincore', ['--version'], (error) => resolve(error === null)));
}
