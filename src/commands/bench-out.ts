import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { SuiteOutcome } from '../bench/suite.ts';
import { describeError, ForewarmError } from '../lib/errors.ts';

/** Pictures by the names of their files. */
const filesOf = (pictures: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(pictures).map(([name, svg]) => [`picture-${name}.svg`, svg]));
const isPicture = (file: string): boolean => /^picture-[a-z0-9-]+\.svg$/.test(file);

type Drawn = Pick<SuiteOutcome, 'report' | 'pictures'>;

/** Where a benchmark leaves what it found. */
export class OutFolder {
  readonly path: string;

  /** Made at once: a place that cannot be written is told before hours of work. */
  constructor(path: string) {
    this.path = resolve(path);
    try {
      mkdirSync(this.path, { recursive: true });
    } catch (error) {
      throw new ForewarmError(
        'config_invalid',
        `${this.path} could not be made: ${(error as Error).message}`,
        {
          hint: 'Choose another place with --out DIR.',
          cause: error,
        },
      );
    }
  }

  readonly writeLogs = (logs: Readonly<Record<string, string>>): void => {
    for (const [name, log] of Object.entries(logs)) writeFileSync(join(this.path, `agent-${name}.log`), log);
  };

  /**
   * The report and the pictures of an earlier run go with that run's results, also where there are none in their
   * place: then why they could not be made comes back.
   */
  write(results: object, { report, pictures }: Drawn): { readonly withoutReport?: string } {
    this.#replace('results.json', `${JSON.stringify(results)}\n`);
    this.#removeDrawn();
    try {
      const drawn = { 'report.html': report(), ...filesOf(pictures?.() ?? {}) };
      for (const [file, text] of Object.entries(drawn)) this.#replace(file, text);
      return {};
    } catch (error) {
      this.#removeDrawn();
      return { withoutReport: describeError(error).message };
    }
  }

  #removeDrawn(): void {
    for (const file of readdirSync(this.path)) {
      if (file === 'report.html' || isPicture(file)) rmSync(join(this.path, file));
    }
  }

  /** A process that is killed meanwhile leaves the old file or the new one. */
  #replace(name: string, text: string): void {
    const file = join(this.path, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}
