import type { Broker } from '../broker/broker.ts';
import type { AgentConfig } from '../config/options.ts';
import type { Engine } from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import { describeError, ForewarmError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { retry } from '../lib/retry.ts';
import type { MigrationEvent, Progress } from '../messages/event.ts';
import { wireVersion } from '../messages/names.ts';
import type { MigrationRecord } from '../messages/record.ts';
import { advance, statesPassed } from '../migration/record.ts';
import { isEnd, type Trigger } from '../migration/transitions.ts';
import type { AgentMetrics } from './agent-metrics.ts';
import type { Device } from './device.ts';
import { Journal } from './journal.ts';
import type { Precedence } from './precedence.ts';
import type { Profiles } from './profiles.ts';
import type { ServerWatch } from './server-watch.ts';
import type { TargetShare } from './target-share.ts';
import type { TrialPause } from './trial-pause.ts';
import { warmUntilSettled } from './warm-vm.ts';

/** What every migration of this agent works with. */
export interface AgentParts {
  readonly config: AgentConfig;
  readonly broker: Broker;
  readonly engine: Engine;
  readonly watch: ServerWatch;
  readonly trial: TrialPause;
  readonly device: Device;
  readonly share: TargetShare;
  readonly precedence: Precedence;
  readonly profiles: Profiles;
  readonly logger: Logger;
  readonly metrics: AgentMetrics;
}

/**
 * One migration at its target, from acceptance to its end. Owns the record: every change of state goes
 * through the table of transitions, is written to the journal, and is an event.
 */
export class MigrationRun {
  readonly parts: AgentParts;
  readonly logger: Logger;
  readonly #journal: Journal;
  readonly #ended = new AbortController();
  readonly #arrived = new AbortController();
  #record: MigrationRecord;
  #readyResidency: number | undefined;

  /** `stop`: the agent ends; the migration stays as it is, to be taken up again. */
  constructor(parts: AgentParts, record: MigrationRecord, stop: AbortSignal) {
    this.parts = parts;
    this.#record = record;
    this.logger = parts.logger.child({ migration: record.id, vm: record.vm });
    this.#journal = new Journal(parts.broker, this.logger, stop);
    if (record.arrivedAt !== undefined) this.#arrived.abort();
    if (isEnd(record.state)) this.#ended.abort();
  }

  get record(): MigrationRecord {
    return this.#record;
  }

  /** The residency at which it was called ready; undefined before that, and where another agent process said so. */
  get readyResidency(): number | undefined {
    return this.#readyResidency;
  }

  /** Records and events that wait for NATS. */
  get unwritten(): number {
    return this.#journal.backlog;
  }

  /** Aborts when the VM runs on its new host. */
  get arrived(): AbortSignal {
    return this.#arrived.signal;
  }

  /** Aborts when the migration has ended in any way. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /**
   * Works until the end, or until `stop`. Says that it was `accepted`, or, when it is taken up again, what an
   * agent that died could not say any more. Never rejects.
   */
  async run(stop: AbortSignal, now: { readonly accepted?: true } = {}): Promise<void> {
    if (now.accepted) this.#tell();
    else await this.tellUntold(stop);
    const expiry = this.#expire(stop);
    try {
      await warmUntilSettled(this, AbortSignal.any([stop, this.ended]));
      if (!stop.aborted) this.apply('complete');
    } catch (error) {
      if (!stop.aborted && !this.ended.aborted) this.fail(error);
    }
    if (!stop.aborted) await this.parts.device.save();
    await expiry;
    await this.#journal.flush();
  }

  /** Goes through the table; false when the trigger changes nothing in this state. */
  apply(trigger: Trigger, because: { reason?: string; error?: unknown } = {}): boolean {
    const before = this.#record;
    const next = advance(before, trigger, systemClock.now());
    if (next === null) return false;
    const error = because.error === undefined ? undefined : describeError(because.error);
    const reason = because.reason ?? error?.message;
    this.#record = {
      ...next,
      ...(reason === undefined ? {} : { reason }),
      ...(error === undefined ? {} : { error }),
    };
    this.logger.info({ state: next.state, reason }, `migration is ${next.state}`);
    this.parts.metrics.migration(before, this.#record);
    this.#announce(error?.code);
    if (next.state === 'ready') this.#readyResidency = this.#record.residency;
    if (next.state === 'arrived') this.#arrived.abort();
    if (isEnd(next.state)) this.#ended.abort();
    return true;
  }

  /** Changes figures of the record, not its state. */
  update(patch: Partial<MigrationRecord>): void {
    const before = this.#record;
    this.#record = { ...before, ...patch };
    this.parts.metrics.migration(before, this.#record);
    this.#journal.saveSoon(this.#record);
  }

  progress(progress: Progress): void {
    if (this.ended.aborted) return;
    this.#journal.progress({ ...this.#event(), progress });
  }

  /** A step that changed nothing but must be seen, as an abort that came too late. */
  remark(reason: string): void {
    this.logger.info({ reason }, 'nothing changes');
    this.#journal.step({ ...this.#event(), reason }, `event.${this.#record.id}.remark.${reason}`);
  }

  fail(error: unknown): void {
    const rejected = error instanceof ForewarmError && rejections.has(error.code);
    this.logger.warn({ error: (error as Error).message }, 'the migration cannot be warmed for');
    if (rejected && this.apply('reject', { error })) return;
    this.apply('fail', { error });
  }

  /** Resolves when everything that happened is written. */
  async written(): Promise<void> {
    await this.#journal.flush();
  }

  #announce(code?: string): void {
    // It mostly lasts for less than what its writing would cost NATS; its event tells it at once.
    if (this.#record.state === 'profiling') this.#journal.saveSoon(this.#record);
    else this.#journal.save(this.#record);
    this.#tell(code);
  }

  /** Tells the states that the record has passed, each at its time, as far as the audit trail does not have them. */
  async tellUntold(stop: AbortSignal): Promise<void> {
    const { id, reason, error } = this.#record;
    const why = {
      ...(reason === undefined ? {} : { reason }),
      ...(error === undefined ? {} : { code: error.code }),
    };
    const told = await retry(() => this.parts.broker.events.statesTold(id), {
      signal: stop,
      attempts: 3,
    }).catch(() => null);
    if (told === null) return;
    for (const { state, at } of statesPassed(this.#record)) {
      if (told.has(state)) continue;
      const event = { ...this.#event(), state, at, ...(isEnd(state) ? why : {}) };
      this.#journal.step(event, `event.${id}.${state}`);
    }
  }

  #tell(code?: string): void {
    const { reason } = this.#record;
    const event = {
      ...this.#event(),
      ...(reason === undefined ? {} : { reason }),
      ...(code === undefined ? {} : { code }),
    };
    this.#journal.step(event, `event.${this.#record.id}.${this.#record.state}`);
  }

  #event(): MigrationEvent {
    const { id, vm, source, target, state } = this.#record;
    return {
      v: wireVersion,
      id,
      vm,
      ...(source === undefined ? {} : { source }),
      target,
      state,
      at: systemClock.now().toISOString(),
    };
  }

  /** A VM that never comes must not be held warm for ever; this timer depends on nothing else. */
  async #expire(stop: AbortSignal): Promise<void> {
    const expiryMs = this.parts.config.hold.expiryMs;
    const { deadline } = this.#record;
    const settled = AbortSignal.any([stop, this.ended, this.arrived]);
    const leftMs = Date.parse(deadline) - Date.now();
    await systemClock.sleep(leftMs, settled);
    if (settled.aborted) return;
    const { readyAt, residency, reason } = this.#record;
    if (readyAt === undefined && leftMs > 0)
      this.logger.warn({ deadline, residency, reason }, 'not ready at the deadline');
    await systemClock.sleep(Date.parse(deadline) + expiryMs - Date.now(), settled);
    if (settled.aborted) return;
    this.apply('expire', {
      reason: `the VM had not arrived ${Math.round(expiryMs / 1000)} s after the deadline`,
    });
  }
}

/** Errors that say the intent cannot be served at all, as against warming that went wrong. */
const rejections: ReadonlySet<string> = new Set([
  'same_replica',
  'source_unknown',
  'vm_unknown',
  'name_invalid',
]);
