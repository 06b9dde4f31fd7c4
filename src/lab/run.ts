import { type ExecFileOptions, execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { systemClock } from '../lib/clock.ts';
import { ForewarmError } from '../lib/errors.ts';

const execute = promisify(execFile);

/** Runs a program to its end and gives what it printed on stdout; rejects with what it printed on stderr. */
export async function run(
  command: string,
  args: readonly string[],
  options: ExecFileOptions = {},
): Promise<string> {
  try {
    const { stdout } = await execute(command, [...args], {
      maxBuffer: 64 << 20,
      ...options,
      encoding: 'utf8',
    });
    return stdout;
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    const tail = stderr.trim().split('\n').slice(-5).join('\n');
    throw new ForewarmError('lab_unavailable', `${command} failed: ${tail || String(error)}`, {
      cause: error,
    });
  }
}

/** Asks again and again until `probe` gives something other than undefined. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  options: { timeoutMs: number; everyMs?: number; hint?: () => string },
): Promise<T> {
  const endMs = systemClock.monotonicMs() + options.timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (systemClock.monotonicMs() > endMs) {
      throw new ForewarmError('lab_unavailable', `${what}: not within ${options.timeoutMs} ms`, {
        ...(options.hint === undefined ? {} : { hint: options.hint() }),
      });
    }
    await systemClock.sleep(options.everyMs ?? 20);
  }
}
