import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const build = join(root, 'dist');

/**
 * Commands, agents and other processes of the tests run from the build: hundreds of starts through a loader
 * would take a third of the tests' time. Builds where a source is newer than the last build.
 */
export default function setup(): void {
  // The step that ends a build.
  const last = join(build, 'hook', 'rest.cjs');
  const sources = ['src', 'package.json', 'tsconfig.json'].map((name) => join(root, name));
  if (newest(sources) > timeOf(last)) {
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
    const now = new Date();
    utimesSync(last, now, now);
  }
  process.env['TEST_BUILD'] = build;
}

function newest(paths: readonly string[]): number {
  const inside = (folder: string) => readdirSync(folder).map((name) => join(folder, name));
  return paths.reduce((latest, path) => {
    const found = statSync(path);
    return Math.max(latest, found.mtimeMs, found.isDirectory() ? newest(inside(path)) : 0);
  }, 0);
}

function timeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
