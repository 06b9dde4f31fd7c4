import { describeError } from '../lib/errors.ts';
import { within } from '../lib/within.ts';
import { announceAbort, announceArrival, isKnownReplica } from '../publisher/announce.ts';
import type { WarmAhead } from '../publisher/warm-ahead.ts';
import type { CommandContext } from './context.ts';
import { ask } from './terminal/ask.ts';
import { runCommand } from './terminal/run-command.ts';

/** Bound of what is said after the command has run, in milliseconds. */
const announceMs = 10_000;

/** Runs the command in every case, then says what became of the VM; a failure to say it is a warning. */
export async function carryOut(
  context: CommandContext,
  work: {
    readonly argv: readonly string[];
    readonly ahead: WarmAhead | undefined;
    readonly json: boolean;
    readonly warn: (text: string) => void;
  },
): Promise<number> {
  const { argv, ahead, warn } = work;
  const running = runCommand(argv, { stdoutToStderr: work.json });
  passSignals(context, running);
  const { status, failure } = await running.end;
  if (failure !== undefined) warn(`the command could not be started: ${failure}`);
  await tellOutcome({ status, why: `the command ended with status ${status}`, ahead, warn });
  return status;
}

/** Hands signals to what moves the VM. */
export function passSignals(
  context: CommandContext,
  running: { kill(signal: NodeJS.Signals): void },
  options: { readonly ownSigint?: boolean } = {},
): void {
  context.onSignal = (signal) => {
    // A terminal's Ctrl-C reaches a command by itself.
    if (options.ownSigint || signal !== 'SIGINT' || !process.stdin.isTTY) running.kill(signal);
    return true;
  };
}

/** Says arrived or aborted by how the move ended; a failure to say it is a warning. */
export async function tellOutcome(move: {
  /** 0 is an arrival. */
  readonly status: number;
  /** Why it is aborted. */
  readonly why: string;
  readonly ahead: WarmAhead | undefined;
  readonly warn: (text: string) => void;
}): Promise<void> {
  const { status, ahead, warn } = move;
  if (ahead === undefined) {
    return warn('nothing was announced, since the names or the configuration are wrong');
  }
  const { vm } = ahead.order;
  const { id, target, published } = ahead;
  const migration = published ? id : undefined;
  if (target === undefined) {
    return warn(`no target was chosen, so the route of ${vm} stays as it is`);
  }
  try {
    if (status === 0) {
      const announce = ahead.connect({ ms: announceMs }).then(async (broker) => {
        // A mistyped target must not become a route.
        if (!published && !(await isKnownReplica(broker, target))) return null;
        return await announceArrival(broker, { vm, target, migration });
      });
      const route = await within('saying arrived', announce, { ms: announceMs });
      if (route === null) warn(`no replica ${target} was ever seen, so the route of ${vm} stays as it is`);
      else warn(`${vm} has arrived; its route is ${route.replica}, epoch ${route.epoch}`);
    } else if (migration !== undefined) {
      const reason = move.why.slice(0, 1_024);
      const announce = ahead
        .connect({ ms: announceMs })
        .then((broker) => announceAbort(broker, { target, migration, reason }));
      await within('saying aborted', announce, { ms: announceMs });
      warn(`${move.why}; the migration is aborted`);
    }
  } catch (error) {
    const verb = status === 0 ? `arrive --vm ${vm} --to ${target}` : `abort --migration ${id}`;
    warn(`${describeError(error).message}; when NATS is back, run \`forewarm ${verb}\``);
  }
}

/** The wait was interrupted: on a terminal asks what shall become of the warming, else leaves it. */
export async function afterInterrupt(
  context: CommandContext,
  ahead: WarmAhead | undefined,
  warn: (text: string) => void,
): Promise<void> {
  const { target } = ahead ?? {};
  if (ahead === undefined || !ahead.published || target === undefined)
    return warn('interrupted; nothing was asked for');
  const { vm } = ahead.order;
  const { id } = ahead;
  const abort =
    process.stdin.isTTY &&
    process.stderr.isTTY &&
    (await ask(`Abort the warming of ${vm} at ${target}? [y/N] `, context.signal));
  if (!abort) {
    return warn(`interrupted; ${target} goes on warming (\`forewarm abort --migration ${id}\` ends it)`);
  }
  const announce = ahead
    .connect({ ms: announceMs })
    .then((broker) => announceAbort(broker, { target, migration: id, reason: 'aborted by hand' }));
  await within('saying aborted', announce, { ms: announceMs });
  warn(`migration ${id} is aborted`);
}
