import { readFileSync } from 'node:fs';
import { ForewarmError } from '../lib/errors.ts';
import { isRoot } from './cache-dir.ts';

/**
 * Who database servers run as. PostgreSQL refuses to run as root and wants its user to have a name, so under
 * root it is `nobody`; otherwise it is this user, and the answer is empty.
 */
export function serverUser(): { uid?: number; gid?: number } {
  if (!isRoot()) return {};
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('nobody:'))
    ?.split(':');
  if (entry?.[2] === undefined || entry[3] === undefined) {
    throw new ForewarmError(
      'lab_unavailable',
      'running as root, and there is no user `nobody` to run database servers as',
      {
        hint: 'Run as an ordinary user.',
      },
    );
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}
