import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { refusalStatus } from './refusal-status.ts';

type Bundle = typeof import('./hook-bundle.ts');

interface Loaded<Exports> {
  readonly exports: Exports;
  /** Keeps the code that was compiled until now for the next start. */
  keep(): void;
}

/**
 * Loads one of the build's files with V8's compiled code beside it, which halves the time to its first line. Code of
 * another version of Node is ignored by V8, and the file compiled anew.
 */
function load<Exports>(name: string, modules: (name: string) => unknown): Loaded<Exports> {
  const [filename, code] = [join(__dirname, `${name}.cjs`), join(__dirname, `${name}.code`)];
  const source = `(function (exports, require, module, __filename) {${readFileSync(filename, 'utf8')}\n})`;
  const script = new Script(source, { filename, ...compiledCode(code) });
  const module = { exports: {} as Exports };
  script.runInThisContext()(module.exports, modules, module, filename);
  return { exports: module.exports, keep: () => writeFileSync(code, script.createCachedData()) };
}

function compiledCode(file: string): { cachedData?: Buffer } {
  try {
    return { cachedData: readFileSync(file) };
  } catch {
    return {};
  }
}

let rest: Loaded<object> | undefined;
const hook: Loaded<Bundle> = load<Bundle>('hook', (name) =>
  name === 'forewarm:rest' ? restOf() : require(name),
);

/** What only a guest of ours needs. */
function restOf(): object {
  // One class of errors for both files: they are told by it.
  rest ??= load('rest', (name) => (name === 'forewarm:errors' ? hook.exports.errors : require(name)));
  return rest.exports;
}

export function loadBundle(): Bundle {
  return hook.exports;
}

if (require.main === module) {
  const args = process.argv.slice(2);
  if (args[0] === '--compile') {
    const keep = () => {
      hook.keep();
      restOf();
      rest?.keep();
      process.exit(0);
    };
    void hook.exports.rehearse().then(keep, keep);
  } else {
    void hook.exports.runHookProcess(args, refusalStatus);
  }
}
