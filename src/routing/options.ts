import type { NatsConnection, NatsOptions } from '../broker/route-feed.ts';
import { ForewarmError } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { nameSchema } from '../messages/names.ts';

/** What both switching pools are told; times are milliseconds. */
export interface SwitchOptions {
  /** Whose route the pool follows. */
  readonly vm: string;
  /**
   * A NATS server's URL, how to reach it, or a connection of yours, which stays open when the pool ends.
   * Reading the bucket of routes is all the right that is needed there.
   */
  readonly nats: string | NatsOptions | NatsConnection;
  /** First token of the bucket's name, `forewarm`; as in the agents' configuration. */
  readonly prefix?: string;
  /** Where the pool begins while NATS cannot be asked or has no route for the VM. */
  readonly defaultReplica: string;
  /** Longest wait of the first checkouts for the VM's route, 2000; half of the time that a checkout may take, where that is less. */
  readonly startMs?: number;
  /** Bound of opening one connection, and of each look at a server, 5000. */
  readonly connectMs?: number;
  /** Bound of warming one connection before a swap, 30000; a switch whose warming takes longer is tried again. */
  readonly warmMs?: number;
  /** Most connections that are opened and warmed before a swap; as many as are busy, but no more. Default 100. */
  readonly prepareMax?: number;
  /**
   * Before a swap the new replica must show what the application may have seen on the old one. It is waited for
   * up to `waitMs` (10000); then `stay` where the pool is and try again later (the default), or `go` with a
   * notice. `false` does not look.
   */
  readonly catchUp?: false | { readonly waitMs?: number; readonly otherwise?: 'stay' | 'go' };
  /**
   * Longest that new checkouts are held back at once, for that the new replica shows the last of it, 1000; half of
   * the time that a checkout may take, where that is less.
   */
  readonly holdMs?: number;
  /** How long connections of the old replica may be in use after the swap before they are cut off, 30000. */
  readonly drainMs?: number;
  /** Time between two tries of a switch that failed: doubled each time from `firstMs` (1000) to `maxMs` (30000). */
  readonly retry?: { readonly firstMs?: number; readonly maxMs?: number };
  /** Where malformed routes and the like are logged; default nowhere. */
  readonly logger?: Logger;
}

export interface SwitchSettings {
  readonly vm: string;
  readonly defaultReplica: string;
  readonly startMs: number;
  readonly connectMs: number;
  readonly warmMs: number;
  readonly prepareMax: number;
  readonly catchUp: { readonly waitMs: number; readonly otherwise: 'stay' | 'go' } | null;
  readonly holdMs: number;
  readonly drainMs: number;
  readonly retry: { readonly firstMs: number; readonly maxMs: number };
  readonly replicas: ReadonlySet<string>;
  readonly logger: Logger;
}

/** Defaults filled in. Throws `config_invalid` or `name_invalid`. */
export function switchSettings(
  options: SwitchOptions,
  replicas: Readonly<Record<string, unknown>>,
): SwitchSettings {
  const names = Object.keys(replicas);
  for (const name of [options.vm, ...names]) {
    if (!nameSchema.safeParse(name).success) {
      throw new ForewarmError('name_invalid', `${JSON.stringify(name)} is no name of a VM or replica`, {
        hint: 'Names are 1 to 64 of A-Z a-z 0-9 _ -.',
      });
    }
  }
  if (!names.includes(options.defaultReplica)) {
    throw new ForewarmError(
      'config_invalid',
      `defaultReplica ${JSON.stringify(options.defaultReplica)} is not among the replicas: ${names.join(', ')}`,
      { hint: 'Add its connection options to `replicas`, or name another one.' },
    );
  }
  const settings = {
    vm: options.vm,
    defaultReplica: options.defaultReplica,
    startMs: options.startMs ?? 2_000,
    connectMs: options.connectMs ?? 5_000,
    warmMs: options.warmMs ?? 30_000,
    prepareMax: options.prepareMax ?? 100,
    catchUp:
      options.catchUp === false
        ? null
        : { waitMs: options.catchUp?.waitMs ?? 10_000, otherwise: options.catchUp?.otherwise ?? 'stay' },
    holdMs: options.holdMs ?? 1_000,
    drainMs: options.drainMs ?? 30_000,
    retry: { firstMs: options.retry?.firstMs ?? 1_000, maxMs: options.retry?.maxMs ?? 30_000 },
    replicas: new Set(names),
    logger: options.logger ?? silentLogger,
  };
  const { startMs, connectMs, warmMs, prepareMax, holdMs, drainMs, retry, catchUp } = settings;
  const waitMs = catchUp?.waitMs ?? 0;
  const numbers = { startMs, connectMs, warmMs, prepareMax, holdMs, drainMs, ...retry, waitMs };
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isFinite(value) || value < 0)
      throw new ForewarmError('config_invalid', `${name} must be a number of 0 or more, not ${value}`);
  }
  return settings;
}

/** The same, with checkouts held back for no more than half of the time that each may take; 0 bounds none. */
export function withinCheckouts(settings: SwitchSettings, timeoutMs: number): SwitchSettings {
  if (timeoutMs === 0) return settings;
  const { startMs, holdMs } = settings;
  return { ...settings, startMs: Math.min(startMs, timeoutMs / 2), holdMs: Math.min(holdMs, timeoutMs / 2) };
}
