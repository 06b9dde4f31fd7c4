import { spawn } from 'node:child_process';
import { constants } from 'node:os';

export interface CommandEnd {
  /** As a shell would say it: 128 + signal, 127 not found, 126 not executable. */
  readonly status: number;
  /** Why it could not be started. */
  readonly failure?: string;
}

export interface RunningCommand {
  readonly end: Promise<CommandEnd>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Runs a command in the foreground. With `stdoutToStderr` its output leaves stdout to our own result; with
 * `aside` it leaves stdin to another one, and `env` adds to the environment.
 */
export function runCommand(
  argv: readonly string[],
  options: {
    readonly stdoutToStderr?: boolean;
    readonly aside?: boolean;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): RunningCommand {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, {
    env: { ...process.env, ...options.env },
    stdio: [options.aside ? 'ignore' : 'inherit', options.stdoutToStderr ? 2 : 'inherit', 'inherit'],
  });
  const end = new Promise<CommandEnd>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      resolve({
        status: error.code === 'ENOENT' ? 127 : 126,
        failure: `${file}: ${error.code ?? error.message}`,
      });
    });
    child.once('exit', (code, signal) => {
      resolve({ status: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) });
    });
  });
  return { end, kill: (signal) => void child.kill(signal) };
}
