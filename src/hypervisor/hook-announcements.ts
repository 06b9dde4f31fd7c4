import type { Broker } from '../broker/broker.ts';
import type { HookConfig } from '../config/options.ts';
import { describeError } from '../lib/errors.ts';
import { within } from '../lib/within.ts';
import { isEnd } from '../migration/transitions.ts';
import { announceAbort, announceArrival } from '../publisher/announce.ts';
import { connectAs } from '../publisher/connect.ts';
import { findMigration } from '../publisher/find-migration.ts';
import { newMigrationId, WarmAhead } from '../publisher/warm-ahead.ts';
import type { PendingMigration, PendingMigrations } from './pending.ts';

/** What became of the warming for a guest that is about to come. */
export interface WarmEnd {
  /** True when nothing speaks against the move: warm, or there is nothing to warm. */
  readonly warm: boolean;
  /** A sentence for the operator. */
  readonly line: string;
}

export interface Coming {
  readonly config: HookConfig;
  readonly guest: string;
  readonly vm: string;
  /** The replica beside this host. */
  readonly target: string;
  readonly host: string;
  /** Milliseconds from now. */
  readonly waitMs: number;
  readonly pending: PendingMigrations;
}

/** Codes of refusals that say: there is nothing to warm for this guest here. */
const nothingToWarm: ReadonlySet<string> = new Set(['same_replica', 'source_unknown', 'vm_unknown']);
/** Bound of taking an intent back, in milliseconds. */
const takeBackMs = 1_000;

/**
 * Publishes the intent, or joins the migration that is under way, and waits, never longer than its bound; notes it
 * among the pending ones just before. Where `refuses` is true and the target is not warm, its own intent is taken
 * back, since the guest will not come. Never rejects.
 */
export async function warmForGuest(coming: Coming, refuses: boolean): Promise<WarmEnd> {
  const { config, guest, vm, target, host, waitMs, pending } = coming;
  const deadline = new Date(Date.now() + waitMs);
  const id = newMigrationId(vm, new Date());
  const noteOf = (migration: string): PendingMigration => ({
    ...{ guest, vm, id: migration, target, deadline: deadline.toISOString() },
  });
  const order = { id, vm, to: target, from: undefined, deadline, issuedBy: `libvirt:${host}` };
  const ahead = new WarmAhead(order, config);
  let noted = '';
  const end = await wait(ahead, () => {
    try {
      pending.write(noteOf(ahead.id));
    } catch (error) {
      noted = `; its end cannot be told, since the note of it was not written: ${(error as Error).message}`;
    }
  });
  if (!end.warm && refuses) {
    // One that was joined is its publisher's to abort.
    if (ahead.published && !ahead.joined) await takeBack(ahead).catch(() => {});
    pending.remove(noteOf(ahead.id));
  }
  return { ...end, line: `${end.line}${noted}` };
}

async function wait(ahead: WarmAhead, beforePublishing: () => void): Promise<WarmEnd> {
  const { vm, to } = ahead.order;
  try {
    const onTarget = () => beforePublishing();
    const { verdict } = await ahead.run(new AbortController().signal, { onTarget, onProgress() {} });
    const { id } = ahead;
    if (verdict.kind === 'ready') return { warm: true, line: `${to} is ready for ${vm} (migration ${id})` };
    if (verdict.kind === 'arrived')
      return { warm: true, line: `${vm} is at ${to} already (migration ${id})` };
    if (verdict.kind === 'ended') {
      const reason = verdict.reason ?? 'no reason was given';
      const nothing = nothingToWarm.has(verdict.code ?? '');
      return { warm: nothing, line: `migration ${id} of ${vm} to ${to} was ${verdict.state}: ${reason}` };
    }
    return { warm: false, line: `${to} was not ready for ${vm} in time (migration ${id})` };
  } catch (error) {
    return { warm: false, line: `${to} was not warmed for ${vm}: ${describeError(error).message}` };
  }
}

async function takeBack(ahead: WarmAhead): Promise<void> {
  const broker = await ahead.connect({ ms: takeBackMs });
  const reason = 'not ready in time, and policy require refused the migration';
  const said = announceAbort(broker, { target: ahead.order.to, migration: ahead.id, reason });
  await within('saying aborted', said, { ms: takeBackMs });
}

/** What was said, or found said already, of a migration. */
export type Said = 'said' | 'over';

/**
 * Says that a migration to this host came to nothing. `over` when it ended or arrived before. One that no agent
 * has taken yet is said too: its intent waits in the stream.
 */
export async function sayUndone(broker: Broker, pending: PendingMigration, reason: string): Promise<Said> {
  const { id, target } = pending;
  const state = (await broker.records.get(id))?.value.state;
  if (state !== undefined && (isEnd(state) || state === 'arrived')) return 'over';
  await announceAbort(broker, { target, migration: id, reason });
  return 'said';
}

/** Says that a VM which left this host has arrived where its migration under way leads; undefined without one. */
export async function sayLeft(
  broker: Broker,
  left: { readonly vm: string; readonly own: string | undefined },
): Promise<string | undefined> {
  const found = await findMigration(broker, { vm: left.vm, migration: undefined }).catch((error) => {
    if (describeError(error).code === 'migration_unknown') return undefined;
    throw error;
  });
  if (found === undefined || found.target === left.own) return undefined;
  const state = found.record?.state;
  if (state !== undefined && (isEnd(state) || state === 'arrived')) return undefined;
  const route = await announceArrival(broker, { vm: left.vm, target: found.target, migration: found.id });
  return `${left.vm} has arrived at ${found.target}; its route is ${route.replica}, epoch ${route.epoch} (migration ${found.id})`;
}

/** Connects for one announcement; everything is bounded by `ms`. */
export async function announcing<T>(
  config: HookConfig,
  ms: number,
  work: (broker: Broker) => Promise<T>,
): Promise<T> {
  const connecting = connectAs('hook', config, { timeoutMs: ms });
  const working = connecting.then(work);
  return await within('telling NATS', working, { ms });
}
