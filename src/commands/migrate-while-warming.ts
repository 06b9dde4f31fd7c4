import { describeError } from '../lib/errors.ts';
import type { WaitResult } from '../publisher/await-ready.ts';
import { WarmAhead } from '../publisher/warm-ahead.ts';
import { type CommandContext, print, publisherConfig } from './context.ts';
import { startCommandMove, startQmpMove } from './migrate-moves.ts';
import {
  checkOrderNames,
  endedError,
  type MigrateFlags,
  orderOf,
  outcomeOf,
  type Result,
  wait,
} from './migrate-order.ts';
import { passSignals, tellOutcome } from './migrate-outcome.ts';

/** The VM moves while the target warms; warmth opens the move's gate. */
export async function moveWhileWarming(
  context: CommandContext,
  flags: MigrateFlags,
  argv: readonly string[],
): Promise<void> {
  const startMs = performance.now();
  const warn = (text: string) => context.err(`forewarm: ${text}\n`);
  const order = orderOf(flags);
  const { vm, deadline } = order;
  const start = () =>
    flags.qmp === undefined
      ? startCommandMove({ argv, whenReady: flags.whenReady, json: flags.json === true, order })
      : startQmpMove({ ...flags, qmp: flags.qmp, toUri: flags.toUri! });
  const move = await start();
  passSignals(context, move, { ownSigint: flags.qmp !== undefined });
  let ahead: WarmAhead | undefined;
  let outcome: Result['outcome'] = 'skipped';
  let waited: WaitResult | undefined;
  const over = new AbortController();
  void move.end.then(() => over.abort());
  try {
    checkOrderNames(flags, order.id);
    ahead = new WarmAhead(order, publisherConfig(context, flags));
    waited = await wait(context, ahead, over.signal);
    outcome = outcomeOf(waited);
    if (waited.verdict.kind === 'ended')
      warn(`${endedError(ahead.id, waited.verdict).message}; going on without warming`);
    else if (outcome === 'deadline') warn(`${ahead.target} was not ready by the deadline; going on`);
  } catch (error) {
    if (!over.signal.aborted) warn(`${describeError(error).message}; going on without warming`);
  }
  const waitedMs = Math.round(performance.now() - startMs);
  try {
    if (!over.signal.aborted) await move.open(outcome).catch((error) => warn(describeError(error).message));
    const { status, failure, why } = await move.end;
    if (failure !== undefined) warn(failure);
    await tellOutcome({ status, why, ahead, warn });
    context.exitStatus = status;
    if (flags.json === true) {
      const result: Result = {
        ...{ id: ahead?.id ?? order.id, vm, target: ahead?.target, outcome, waitedMs },
        ...{ deadline: deadline.toISOString(), record: waited?.record, command: { status } },
      };
      print(context, flags, result, () => '');
    }
  } finally {
    move.close();
    await ahead?.close();
  }
}
