import { spawnSync } from 'node:child_process';
import { appendFileSync, writeSync } from 'node:fs';

/** A file, or syslog where it is undefined. */
export type LogPlace = string | undefined;

/**
 * Says something to the operator. stderr reaches libvirt's log only when the hook fails, so each line goes to a file
 * or to syslog too (`journalctl -t forewarm`). Never throws, never waits longer than half a second, and leaves no
 * process behind that would hold the hook's descriptors.
 */
export function tell(line: string, place: LogPlace): void {
  try {
    writeSync(2, `forewarm: ${line}\n`);
  } catch {
    // Nobody reads it.
  }
  if (place === undefined) {
    spawnSync('logger', ['-t', 'forewarm', '--', line], { stdio: 'ignore', timeout: 500 });
    return;
  }
  try {
    appendFileSync(place, `${new Date().toISOString()} ${line}\n`);
  } catch {
    spawnSync('logger', ['-t', 'forewarm', '--', line], { stdio: 'ignore', timeout: 500 });
  }
}
