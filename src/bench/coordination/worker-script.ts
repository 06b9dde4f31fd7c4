import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { siblingScript } from '../../lab/sibling-script.ts';

/**
 * The arguments for `process.execPath` that run a process of agents. From the sources it is bundled into `folder`
 * first: each process would otherwise compile hundreds of modules, which takes longer than its agents' start.
 */
export async function workerScript(folder: string): Promise<readonly string[]> {
  if (!import.meta.url.endsWith('.ts')) return siblingScript(import.meta.url, 'agent-worker');
  const { build } = await import('esbuild');
  const outfile = join(folder, 'agent-worker.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('agent-worker.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
    // Files beside the sources are found from any module of src/*/.
    define: { 'import.meta.url': JSON.stringify(new URL('../suite.ts', import.meta.url).href) },
    banner: {
      js: "import { createRequire as bundledRequire } from 'node:module'; const require = bundledRequire(import.meta.url);",
    },
  });
  return [outfile];
}
