import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describeError, ForewarmError } from '../lib/errors.ts';

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
   * The report of an earlier run goes with that run's results, also where there is none in its place: then why
   * it could not be made comes back.
   */
  write(results: object, report: () => string): { readonly withoutReport?: string } {
    this.#replace('results.json', `${JSON.stringify(results)}\n`);
    try {
      this.#replace('report.html', report());
      return {};
    } catch (error) {
      rmSync(join(this.path, 'report.html'), { force: true });
      return { withoutReport: describeError(error).message };
    }
  }

  /** A process that is killed meanwhile leaves the old file or the new one. */
  #replace(name: string, text: string): void {
    const file = join(this.path, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}
