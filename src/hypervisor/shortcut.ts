import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { helloLine } from '../broker/quick-ask.ts';
import { plainServer } from '../broker/vm-known.ts';
import type { HookGlance } from '../config/hook-glance.ts';
import { createSubjects } from '../messages/subjects.ts';

/** Where an installed hook keeps it; a folder below /run is empty after a start of the host. */
export const shortcutFile = '/run/forewarm/hook-shortcut';

/** The launcher names the file to the hook's process in this variable; without it none is written. */
export const shortcutVariable = 'HOOK_SHORTCUT';

/**
 * What `stranger.bash` needs in order to tell a stranger's guest, in its order: one value a line, then the whole
 * configuration file that they were read from. Undefined where NATS is not to be asked so plainly.
 */
export function shortcutText(glance: HookGlance): string | undefined {
  const server = plainServer({ ...glance.nats, name: 'forewarm hook' });
  if (server === undefined || glance.replica === undefined) return undefined;
  const { routes, profiles } = createSubjects(glance.nats.prefix).buckets;
  const values = [
    ...['1', server.host, String(server.port), helloLine(server, 'forewarm hook'), routes, profiles],
    ` ${Object.keys(glance.guests).join(' ')} `,
    ...[glance.state, glance.logFile ?? ''],
  ];
  if (values.some((value) => /[\n\0]/.test(value)) || glance.text.includes('\0')) return undefined;
  return `${values.join('\n')}\n${glance.text}`;
}

/** Keeps it for the next call. It may hold a password, as the configuration does. Never throws: it only saves time. */
export function keepShortcut(file: string, glance: HookGlance): void {
  const text = shortcutText(glance);
  if (text === undefined) return;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    const fresh = `${file}.${process.pid}`;
    writeFileSync(fresh, text, { mode: 0o600 });
    renameSync(fresh, file);
  } catch {
    // The next call is as slow as this one.
  }
}
