import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/**
 * Makes the hook of three files, with V8's compiled code beside them: `start.cjs`, `hook.cjs` that tells whether a
 * guest is ours, and `rest.cjs`; `stranger.bash` comes before them all. A step of the project's build, since loading hundreds of modules takes longer than
 * all that the hook does.
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
  const minified = {
    ...common,
    minify: true,
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl=require('node:url').pathToFileURL(__filename).href;" },
  } as const;
  rmSync(folder, { recursive: true, force: true });
  await build({ ...common, entryPoints: [entry('hook-start.ts')], outfile: join(folder, 'start.cjs') });
  await build({
    ...minified,
    entryPoints: [entry('hook-bundle.ts')],
    outfile: join(folder, 'hook.cjs'),
    plugins: [elsewhere('forewarm:rest', ({ kind }) => kind === 'dynamic-import')],
    // Node's own `import` would look for a package of that name.
    supported: { 'dynamic-import': false },
  });
  await build({
    ...minified,
    entryPoints: [entry('hook-rest.ts')],
    outfile: join(folder, 'rest.cjs'),
    plugins: [elsewhere('forewarm:errors', ({ path }) => path.endsWith('/lib/errors.ts'))],
  });
  copyFileSync(entry('stranger.bash'), join(folder, 'stranger.bash'));
  execFileSync(process.execPath, [join(folder, 'start.cjs'), '--compile']);
}

/** Imports that `hook-start.ts` answers, by that name. */
function elsewhere(path: string, isIt: (asked: { kind: string; path: string }) => boolean): Plugin {
  return {
    name: path,
    setup(work) {
      work.onResolve({ filter: /^[.@]/ }, (asked) => (isIt(asked) ? { path, external: true } : undefined));
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await buildHook(fileURLToPath(new URL('../../dist/hook', import.meta.url)));
}
