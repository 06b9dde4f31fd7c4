import { type ExecFileOptions, execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { systemClock } from '../lib/clock.ts';
import { ForewarmError } from '../lib/errors.ts';

const execute = promisify(execFile);

/**
 * Runs a program to its end and gives what it printed on stdout; rejects with what it printed on stderr.
 * `input` is its stdin.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: ExecFileOptions & { input?: string } = {},
): Promise<string> {
  const { input, ...rest } = options;
  try {
    const running = execute(command, [...args], { maxBuffer: 64 << 20, ...rest, encoding: 'utf8' });
    if (input !== undefined) {
      // A program that ends before it has read all of it says why by itself.
      running.child.stdin?.on('error', () => {});
      running.child.stdin?.end(input);
    }
    const { stdout } = await running;
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
