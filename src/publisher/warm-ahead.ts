import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import type { Broker } from '../broker/broker.ts';
import type { PublisherConfig } from '../config/options.ts';
import { systemClock } from '../lib/clock.ts';
import { ForewarmError } from '../lib/errors.ts';
import { within } from '../lib/within.ts';
import { wireVersion } from '../messages/names.ts';
import { isEnd } from '../migration/transitions.ts';
import { awaitReady, type WaitResult } from './await-ready.ts';
import { connectAs } from './connect.ts';
import { askEstimates } from './estimates.ts';
import type { WaitProgress } from './migration-waiter.ts';

export interface MigrationOrder {
  readonly id: string;
  readonly vm: string;
  /** A replica, or `auto` for the best one. */
  readonly to: string;
  readonly from: string | undefined;
  readonly deadline: Date;
  /** Free text for the record; without it, the user and the host of this command. */
  readonly issuedBy?: string;
  /** Publish under this id whatever is under way already. */
  readonly alone?: boolean;
}

export interface WarmAheadHooks {
  /** Just before the intent is published, or another publisher's one joined. */
  readonly onTarget: (target: string, why: string | undefined) => void;
  readonly onProgress: (progress: WaitProgress) => void;
}

/** An id that a person can read and sort: the VM, the time in UTC, and something random. */
export function newMigrationId(vm: string, now: Date): string {
  const time = now.toISOString().replaceAll(/[-:]|\.\d+Z$/g, '');
  return `${vm.slice(0, 40)}-${time}-${randomBytes(3).toString('hex')}`;
}

/**
 * One migration as its publisher sees it: choose the target, publish the intent, wait. Everything,
 * also the wait for NATS, is bounded by the deadline. What is known so far can be read at any time,
 * since whoever publishes goes on with the VM whatever becomes of the warming. Where the VM's warming for
 * this target is under way already, as when `migrate` starts a command whose hypervisor calls the hook, it is
 * joined: a second intent would supersede the first one.
 */
export class WarmAhead {
  readonly order: MigrationOrder;
  readonly #config: PublisherConfig;
  #broker: Broker | undefined;
  #target: string | undefined;
  #published = false;
  #joined: string | undefined;

  constructor(order: MigrationOrder, config: PublisherConfig) {
    this.order = order;
    this.#config = config;
    this.#target = order.to === 'auto' ? undefined : order.to;
  }

  /** Of the migration that was joined, else the order's own. */
  get id(): string {
    return this.#joined ?? this.order.id;
  }

  /** True when another publisher announced the migration. */
  get joined(): boolean {
    return this.#joined !== undefined;
  }

  /** Undefined while `auto` is not decided. */
  get target(): string | undefined {
    return this.#target;
  }

  /** True once the target's agent has or will get the intent. */
  get published(): boolean {
    return this.#published;
  }

  async run(signal: AbortSignal, hooks: WarmAheadHooks): Promise<WaitResult> {
    const { order } = this;
    const remainingMs = () => order.deadline.getTime() - systemClock.now().getTime();
    const bounded = <T>(what: string, work: Promise<T>) => within(what, work, { ms: remainingMs(), signal });
    checkOrder(order, remainingMs());
    const broker = await this.connect({ ms: remainingMs(), signal });
    const { target, why } = await bounded('choosing the target', this.#choose(broker, remainingMs()));
    this.#target = target;
    if (!order.alone)
      this.#joined = await bounded('looking for its migration', this.#underWay(broker, target));
    hooks.onTarget(target, why);
    const { onProgress } = hooks;
    const wait = () => awaitReady({ broker, id: this.id, waitMs: remainingMs(), signal, onProgress });
    if (this.joined) {
      this.#published = true;
      return await wait();
    }
    const intent = {
      v: wireVersion,
      kind: 'intent',
      id: order.id,
      vm: order.vm,
      ...(order.from === undefined ? {} : { source: order.from }),
      target,
      deadline: order.deadline.toISOString(),
      issuedAt: systemClock.now().toISOString(),
      issuedBy: (order.issuedBy ?? thisUser()).slice(0, 256),
    } as const;
    // Before the acknowledgement: what was sent may have been taken even if the answer is lost.
    this.#published = true;
    await bounded('publishing the intent', broker.publishIntent(intent));
    return await wait();
  }

  /** The connection, made now if there is none. */
  async connect(bound: { readonly ms: number; readonly signal?: AbortSignal }): Promise<Broker> {
    if (this.#broker !== undefined) return this.#broker;
    const connecting = connectAs('migrate', this.#config, { timeoutMs: bound.ms });
    this.#broker = await within('connecting to NATS', connecting, bound).catch((error) => {
      // A connection that comes too late must not stay.
      void connecting.then((broker) => broker.close()).catch(() => {});
      throw error;
    });
    return this.#broker;
  }

  async close(): Promise<void> {
    const broker = this.#broker;
    this.#broker = undefined;
    if (broker !== undefined) await within('closing', broker.close(), { ms: 1_000 }).catch(() => {});
  }

  /** The VM's newest migration, where it leads to this target and the VM has not arrived; undefined otherwise. */
  async #underWay(broker: Broker, target: string): Promise<string | undefined> {
    const { vm, from } = this.order;
    const pointer = (await broker.vms.get(vm).catch(() => null))?.value;
    if (pointer === undefined || pointer.target !== target) return undefined;
    const record = (await broker.records.get(pointer.migration).catch(() => null))?.value;
    if (record === undefined || record.vm !== vm || record.target !== target) return undefined;
    if (isEnd(record.state) || record.state === 'arrived') return undefined;
    return from === undefined || from === record.source ? record.id : undefined;
  }

  async #choose(
    broker: Broker,
    remainingMs: number,
  ): Promise<{ readonly target: string; readonly why?: string | undefined }> {
    const { vm, to, from } = this.order;
    if (to === 'auto') {
      const timeoutMs = Math.min(this.#config.nats.timeoutMs, remainingMs / 3);
      const { estimates, failures } = await askEstimates(broker, { vm, source: from, timeoutMs });
      const best = estimates[0];
      if (best !== undefined && best.reason === undefined) {
        const why = best.fits ? undefined : 'the best of those that it does not fit into';
        return { target: best.replica, why };
      }
      const reasons = [
        ...estimates.map(({ replica, reason }) => `${replica}: ${reason}`),
        ...failures.map(({ replica, message }) => `${replica}: ${message}`),
      ];
      throw new ForewarmError('replica_unknown', `no replica can take ${vm} (${reasons.join('; ')})`, {
        hint: '`forewarm status` lists the replicas and what they lack.',
      });
    }
    if ((await broker.replicas.get(to)) === null) {
      const replicas = (await broker.replicas.list()).map((stored) => stored.value.replica).sort();
      const atHand =
        replicas.length === 0 ? 'none is' : `${replicas.join(', ')} ${replicas.length === 1 ? 'is' : 'are'}`;
      throw new ForewarmError('replica_unknown', `no agent answers for replica ${to}; ${atHand} at hand`, {
        hint: 'Start its agent with `forewarm agent --config FILE`, or take another target.',
      });
    }
    return { target: to };
  }
}

function checkOrder(order: MigrationOrder, remainingMs: number): void {
  if (order.from === order.to) {
    throw new ForewarmError(
      'same_replica',
      `source and target are both ${order.to}: there is nothing to warm`,
    );
  }
  if (remainingMs <= 0) {
    throw new ForewarmError('deadline_past', `the deadline ${order.deadline.toISOString()} has passed`, {
      hint: 'Give a time to come, or a duration such as 30s.',
    });
  }
}

/** A container's user may have a number and no name. */
function thisUser(): string {
  let user = `${process.getuid?.() ?? 'somebody'}`;
  try {
    user = userInfo().username;
  } catch {
    // The number must do.
  }
  return `cli:${user}@${hostname()}`;
}
