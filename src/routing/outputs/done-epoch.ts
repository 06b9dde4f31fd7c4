import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ForewarmError } from '../../lib/errors.ts';
import { replaceFile } from '../../lib/replace-file.ts';

const stateSchema = z.looseObject({ v: z.literal(1), vm: z.string(), epoch: z.int().nonnegative() });

/**
 * The last epoch that a command was run for, in a file, so that a new watcher goes on after it.
 * `{"v":1,"vm":"app1","epoch":7}`
 */
export class DoneEpoch {
  readonly #path: string | undefined;
  readonly #vm: string;
  #epoch: number | undefined;

  /** Without a path it is kept in memory alone. Throws `config_invalid` where the file is of another VM or no such file. */
  constructor(path: string | undefined, vm: string) {
    this.#path = path;
    this.#vm = vm;
    this.#epoch = path === undefined ? undefined : read(path, vm);
  }

  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** Rejects with `output_failed` where the file cannot be written; in memory it is done all the same. */
  async done(epoch: number): Promise<void> {
    this.#epoch = epoch;
    if (this.#path === undefined) return;
    await replaceFile(this.#path, `${JSON.stringify({ v: 1, vm: this.#vm, epoch })}\n`).catch(
      (error: Error) => {
        throw new ForewarmError('output_failed', `${this.#path} was not written: ${error.message}`, {
          hint: 'After a restart the command may be run again for epochs that are done.',
          cause: error,
        });
      },
    );
  }
}

function read(path: string, vm: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ForewarmError('config_invalid', `--state ${path} cannot be read: ${(error as Error).message}`);
  }
  const hint = 'Name another file, or remove this one: the command is then run for the present epoch.';
  let state: z.infer<typeof stateSchema>;
  try {
    state = stateSchema.parse(JSON.parse(text));
  } catch {
    throw new ForewarmError('config_invalid', `--state ${path} is no state of a route watcher`, { hint });
  }
  if (state.vm === vm) return state.epoch;
  throw new ForewarmError('config_invalid', `--state ${path} is of VM ${state.vm}, not ${vm}`, { hint });
}
