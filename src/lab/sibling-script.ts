import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * The arguments for `process.execPath` that run a script beside the calling module, from the
 * sources (through tsx) as well as from the build. `name` has no extension.
 */
export function siblingScript(callerUrl: string, name: string): string[] {
  const fromSources = callerUrl.endsWith('.ts');
  const script = fileURLToPath(new URL(`${name}${fromSources ? '.ts' : '.js'}`, callerUrl));
  return fromSources ? ['--import', tsxLoader(), script] : [script];
}

function tsxLoader(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
}
