import { spawn } from 'node:child_process';
import { appendFileSync, writeSync } from 'node:fs';

/** A file, or syslog where it is undefined. */
export type LogPlace = string | undefined;

/**
 * Says something to the operator. stderr reaches libvirt's log only when the hook fails, so each line goes to a file
 * or to syslog too (`journalctl -t forewarm`). Never throws and never waits.
 */
export function tell(line: string, place: LogPlace): void {
  try {
    writeSync(2, `forewarm: ${line}\n`);
  } catch {
    // Nobody reads it.
  }
  if (place === undefined) {
    toSyslog(line);
    return;
  }
  try {
    appendFileSync(place, `${new Date().toISOString()} ${line}\n`);
  } catch {
    toSyslog(line);
  }
}

/** The child may outlive the hook, and holds none of its descriptors: libvirt would wait for them. */
function toSyslog(line: string): void {
  const child = spawn('logger', ['-t', 'forewarm', '--', line], { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}
