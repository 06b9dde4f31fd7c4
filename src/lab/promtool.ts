import { join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { fetchDebianPackages } from './debian-packages.ts';
import { findPrograms, isExecutable } from './find-program.ts';

/** FOREWARM_PROMTOOL_BIN, else `promtool` of this machine, else that of Debian's prometheus, unpacked into the cache. */
export async function locatePromtool(): Promise<string> {
  const set = process.env['FOREWARM_PROMTOOL_BIN'];
  if (set) {
    if (await isExecutable(set)) return set;
    throw new ForewarmError('lab_unavailable', `FOREWARM_PROMTOOL_BIN=${set} is not an executable file`);
  }
  const [installed] = await findPrograms('promtool');
  if (installed !== undefined) return installed;
  const root = await fetchDebianPackages({
    as: 'prometheus',
    packages: ['prometheus'],
    // Scripts of the packaging, and what its web pages show.
    skip: ['adduser', 'passwd', 'perl', 'libjs-', 'fonts-', 'javascript-common'],
  });
  return join(root, 'usr/bin/promtool');
}
