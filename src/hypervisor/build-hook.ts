import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** A step of the build: the hook as one file in `dist/hook`, its launcher's entry, and V8's compiled code. */
const folder = fileURLToPath(new URL('../../dist/hook', import.meta.url));
const entry = (name: string) => fileURLToPath(new URL(name, import.meta.url));

rmSync(folder, { recursive: true, force: true });
const common = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'warning',
} as const;
await build({ ...common, entryPoints: [entry('hook-start.ts')], outfile: `${folder}/start.cjs` });
await build({
  ...common,
  entryPoints: [entry('hook-bundle.ts')],
  outfile: `${folder}/hook.cjs`,
  minify: true,
  define: { 'import.meta.url': 'moduleUrl' },
  banner: { js: "const moduleUrl=require('node:url').pathToFileURL(__filename).href;" },
});
execFileSync(process.execPath, [`${folder}/start.cjs`, '--compile']);
