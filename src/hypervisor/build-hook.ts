import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/**
 * Makes the hook of two files, `start.cjs` and `hook.cjs`, with V8's compiled code beside them: a step of the
 * project's build, since loading hundreds of modules takes longer than all that the hook does.
 */
export async function buildHook(folder: string): Promise<void> {
  const entry = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const common = {
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'warning',
  } as const;
  rmSync(folder, { recursive: true, force: true });
  await build({ ...common, entryPoints: [entry('hook-start.ts')], outfile: join(folder, 'start.cjs') });
  await build({
    ...common,
    entryPoints: [entry('hook-bundle.ts')],
    outfile: join(folder, 'hook.cjs'),
    minify: true,
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl=require('node:url').pathToFileURL(__filename).href;" },
  });
  execFileSync(process.execPath, [join(folder, 'start.cjs'), '--compile']);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await buildHook(fileURLToPath(new URL('../../dist/hook', import.meta.url)));
}
