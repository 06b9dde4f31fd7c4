import { spawn } from 'node:child_process';
import { systemClock } from '../../lib/clock.ts';
import { ForewarmError } from '../../lib/errors.ts';
import { factsOf, type ReplicaValues, type RouteOutput } from './output.ts';

/** How long a command that is told to end may take, and how long one may still run when the watcher ends. */
const graceMs = 3_000;

/**
 * A shell command that is told the route by its environment: ROUTE_VM, ROUTE_REPLICA, ROUTE_EPOCH, ROUTE_AT,
 * ROUTE_MIGRATION, and ROUTE_HOST and the like for the replica's values. Its output goes to stderr. One that
 * runs longer than `timeoutMs` is ended with all that it has started.
 */
export function createCommandOutput(options: {
  readonly vm: string;
  readonly command: string;
  readonly timeoutMs: number;
  readonly replicas: ReplicaValues;
}): RouteOutput {
  const { vm, command, timeoutMs, replicas } = options;
  return {
    name: '--exec',
    async apply(route, signal) {
      const facts = [...factsOf(vm, route, replicas)];
      const env = Object.fromEntries(facts.map(([key, value]) => [`ROUTE_${key.toUpperCase()}`, value]));
      const failure = await runToEnd(command, { env, timeoutMs, signal });
      if (failure !== null) throw new ForewarmError('output_failed', `the command ${failure}`);
    },
  };
}

/** Null for success, else the rest of a sentence. */
async function runToEnd(
  command: string,
  { env, timeoutMs, signal }: { env: Record<string, string>; timeoutMs: number; signal: AbortSignal },
): Promise<string | null> {
  // A group of its own, so that it can be ended as a whole.
  const child = spawn('/bin/sh', ['-c', command], {
    stdio: ['ignore', 2, 2],
    detached: true,
    env: { ...process.env, ...env },
  });
  const over = new AbortController();
  let cause = '';
  const endBy = async (why: string, ms: number, from: Promise<void>) => {
    await from;
    await systemClock.sleep(ms, over.signal);
    if (over.signal.aborted) return;
    cause ||= why;
    signalGroup(child.pid, 'SIGTERM');
    await systemClock.sleep(graceMs, over.signal);
    if (!over.signal.aborted) signalGroup(child.pid, 'SIGKILL');
  };
  void endBy(`took longer than ${timeoutMs} ms`, timeoutMs, Promise.resolve());
  void endBy('was ended with the watcher', graceMs, aborted(signal, over.signal));
  return (await new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(`did not start: ${error.code}`));
    // Not `close`: a child of the command may keep its output open for ever.
    child.once('exit', (code, killedBy) => {
      if (cause !== '') resolve(cause);
      else
        resolve(code === 0 ? null : killedBy === null ? `ended with status ${code}` : `ended by ${killedBy}`);
    });
  }).finally(() => over.abort())) as string | null;
}

/** Resolves when either aborts. */
async function aborted(...signals: readonly AbortSignal[]): Promise<void> {
  const either = AbortSignal.any([...signals]);
  if (either.aborted) return;
  await new Promise<void>((resolve) => either.addEventListener('abort', () => resolve(), { once: true }));
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended at this moment.
  }
}
