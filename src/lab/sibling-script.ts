import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const sources = new URL('../', import.meta.url).href;

/**
 * The arguments for `process.execPath` that run a script beside the calling module, from the
 * sources (through tsx) as well as from the build. `name` has no extension. TEST_BUILD names the
 * folder of a build that is as new as the sources: its script is run instead, in half the time.
 */
export function siblingScript(callerUrl: string, name: string): string[] {
  if (!callerUrl.endsWith('.ts')) return [fileURLToPath(new URL(`${name}.js`, callerUrl))];
  const script = new URL(`${name}.ts`, callerUrl);
  const build = process.env['TEST_BUILD'];
  if (build && script.href.startsWith(sources)) {
    const within = script.href.slice(sources.length).replace(/\.ts$/, '.js');
    return [fileURLToPath(new URL(within, pathToFileURL(`${build}/`)))];
  }
  return ['--import', tsxLoader(), fileURLToPath(script)];
}

function tsxLoader(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
}
