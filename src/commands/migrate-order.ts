import { type ErrorCode, errorCodes, ForewarmError } from '../lib/errors.ts';
import type { MigrationRecord } from '../messages/record.ts';
import type { WaitResult } from '../publisher/await-ready.ts';
import { type MigrationOrder, newMigrationId, type WarmAhead } from '../publisher/warm-ahead.ts';
import { type CommandContext, checkName, type Flags } from './context.ts';
import { barProgress, lineProgress } from './terminal/progress.ts';

/** The flags of `migrate`, parsed. */
export interface MigrateFlags extends Flags {
  readonly vm: string;
  readonly to: string;
  readonly from?: string;
  readonly deadline: Date;
  readonly id?: string;
  readonly json?: boolean;
  readonly concurrent?: boolean;
  readonly whenReady?: string;
  readonly qmp?: string;
  readonly toUri?: string;
  readonly heldBandwidth: number;
  readonly fullBandwidth?: number;
}

/** What `migrate --json` prints. */
export interface Result {
  readonly id: string;
  readonly vm: string;
  readonly target: string | undefined;
  /** `skipped`: the warming could not be asked for, and the command ran all the same. */
  readonly outcome: 'ready' | 'deadline' | 'arrived' | 'skipped';
  readonly waitedMs: number;
  readonly deadline: string;
  readonly record?: MigrationRecord | undefined;
  readonly command?: { readonly status: number };
}

/** What the flags order; a migration that is given an id of its own joins no other. */
export function orderOf({ id, vm, to, from, deadline }: MigrateFlags): MigrationOrder {
  const order = { vm, to, from, deadline };
  return id === undefined ? { ...order, id: newMigrationId(vm, new Date()) } : { ...order, id, alone: true };
}

/** Throws `name_invalid` before anything is sent. */
export function checkOrderNames({ vm, to, from }: MigrateFlags, id: string): void {
  checkName('--vm', vm);
  checkName('--to', to);
  if (from !== undefined) checkName('--from', from);
  checkName('--id', id);
}

/** Publishes the intent and waits, showing how it goes. */
export async function wait(
  context: CommandContext,
  ahead: WarmAhead,
  signal: AbortSignal,
): Promise<WaitResult> {
  const view = process.stderr.isTTY ? await barProgress(process.stderr) : lineProgress(context.err);
  try {
    return await ahead.run(signal, {
      onTarget(target, why) {
        const note = why === undefined ? '' : ` (${why})`;
        if (!process.stderr.isTTY) {
          const joined = ahead.joined ? ', which is under way already' : '';
          context.err(`forewarm: migration ${ahead.id}: ${ahead.order.vm} to ${target}${note}${joined}\n`);
        }
      },
      onProgress: (progress) => view.update(progress),
    });
  } finally {
    view.stop();
  }
}

export function outcomeOf(waited: WaitResult | undefined): Result['outcome'] {
  const kind = waited?.verdict.kind;
  return kind === 'ready' || kind === 'deadline' || kind === 'arrived' ? kind : 'skipped';
}

export function endedError(
  id: string,
  ended: { state: string; code: string | undefined; reason: string | undefined },
) {
  const code =
    ended.code !== undefined && ended.code in errorCodes ? (ended.code as ErrorCode) : 'warming_failed';
  return new ForewarmError(
    code,
    `migration ${id} ${ended.state === 'failed' ? 'has failed' : `was ${ended.state}`}: ${ended.reason ?? 'no reason was given'}`,
    { hint: `See \`forewarm history --migration ${id}\`.` },
  );
}
