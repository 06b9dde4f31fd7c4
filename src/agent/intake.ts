import { pairKey } from '../broker/bucket.ts';
import type { IntentVerdict, ReceivedIntent } from '../broker/intents.ts';
import { systemClock } from '../lib/clock.ts';
import { describeError, type ErrorCode } from '../lib/errors.ts';
import { retry } from '../lib/retry.ts';
import type { Service } from '../lib/service.ts';
import type { Intent, Outcome } from '../messages/intent.ts';
import { wireVersion } from '../messages/names.ts';
import type { MigrationRecord } from '../messages/record.ts';
import type { VmPointer } from '../messages/route.ts';
import { admit } from '../migration/admission.ts';
import { movedOn } from '../migration/moved-on.ts';
import { recordFromIntent } from '../migration/record.ts';
import { isEnd } from '../migration/transitions.ts';
import { type AgentParts, MigrationRun } from './migration-run.ts';

/** An outcome whose migration is not known yet may have overtaken its intent: it waits for that many deliveries. */
const outcomeDeliveries = 6;

/**
 * Takes the intents and outcomes for this replica and keeps one run for each migration. An intent is
 * acknowledged when its record and its mark among the active ones are stored: what follows survives
 * the agent, which takes its marked migrations up again when it starts.
 */
export class Intake implements Service {
  readonly name = 'intake';
  readonly #parts: AgentParts;
  readonly #runs = new Map<string, MigrationRun>();
  readonly #working = new Set<Promise<void>>();
  #stop: AbortSignal = AbortSignal.abort();

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  /** Migrations under way here. */
  get count(): number {
    return this.#runs.size;
  }

  /** Their records, in the order of their issue. */
  get records(): readonly MigrationRecord[] {
    return this.#inOrder().map((run) => run.record);
  }

  /** Records and events that wait for NATS. */
  get unwritten(): number {
    return this.#inOrder().reduce((sum, run) => sum + run.unwritten, 0);
  }

  /** The VM's newest migration under way here. */
  migrationOf(vm: string): MigrationRun | undefined {
    return this.#inOrder()
      .filter((run) => run.record.vm === vm)
      .at(-1);
  }

  #inOrder(): readonly MigrationRun[] {
    const issuedMs = ({ record }: MigrationRun) => Date.parse(record.issuedAt);
    return [...this.#runs.values()].sort((a, b) => issuedMs(a) - issuedMs(b));
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#stop = signal;
    await retry(() => this.#resume(), { signal }).catch(() => {});
    const { broker, config } = this.#parts;
    const handlers = {
      handle: (received: ReceivedIntent) => this.#handle(received),
      onGivenUp: async (received: ReceivedIntent, error: unknown) => {
        const { parsed, sequence } = received;
        const id = parsed.ok ? parsed.message.id : (parsed.id ?? `invalid-${sequence}`);
        await this.#reject(id, describeError(error));
      },
    };
    await broker.consumeIntents(config.replica, handlers, signal);
    await Promise.allSettled(this.#working);
  }

  async #handle({ parsed, sequence, delivery }: ReceivedIntent): Promise<IntentVerdict> {
    if (!parsed.ok) {
      await this.#reject(parsed.id ?? `invalid-${sequence}`, { code: parsed.code, message: parsed.reason });
      return 'done';
    }
    const { message } = parsed;
    return await this.#parts.precedence.first(() =>
      message.kind === 'intent'
        ? this.#accept(message as Intent)
        : this.#settle(message as Outcome, delivery),
    );
  }

  async #accept(intent: Intent): Promise<IntentVerdict> {
    const { broker, config, logger } = this.#parts;
    const now = systemClock.now();
    const record = recordFromIntent(intent, now);
    const admission = admit(intent, { replica: config.replica, now, expiryMs: config.hold.expiryMs });
    const pointer = (await broker.vms.get(intent.vm))?.value;
    // Of a VM's first migration nothing is known: that nobody has stored it is told by the attempt to do so.
    if (pointer !== undefined || !admission.admit) {
      const known = await broker.records.get(intent.id);
      if (known !== null) return await this.#again(known.value);
      const refusal = admission.admit ? await this.#supersede(intent, pointer) : admission;
      if (refusal !== null) {
        await this.#refuse(record, refusal);
        return 'done';
      }
    }
    const created = await broker.records.create(intent.id, record);
    if (created === null) {
      const known = await broker.records.get(intent.id);
      return known === null ? 'later' : await this.#again(known.value);
    }
    const { id: migration, vm, source, target, deadline, issuedBy } = intent;
    logger.info({ migration, vm, source, target, deadline, issuedBy }, 'migration is accepted');
    await Promise.all([
      broker.vms.put(intent.vm, this.#pointer(record)),
      this.#start(record, { accepted: true }),
    ]);
    return 'done';
  }

  /** An intent that was accepted before: the agent that stored it may have died before it marked the migration active. */
  async #again(record: MigrationRecord): Promise<IntentVerdict> {
    const { config, logger } = this.#parts;
    const { id: migration, vm, target, state } = record;
    if (target === config.replica && !isEnd(state)) await this.#start(record);
    else logger.info({ migration, vm, state }, 'an intent that was served already');
    return 'done';
  }

  /** One migration a VM: an older one is aborted where it is warmed; an older intent is itself superseded. */
  async #supersede(intent: Intent, pointer: VmPointer | undefined): Promise<Refusal | null> {
    const { broker } = this.#parts;
    if (pointer === undefined || pointer.migration === intent.id) return null;
    const other = (await broker.records.get(pointer.migration))?.value;
    if (other === undefined || isEnd(other.state)) return null;
    const reason = (by: string) => `migration ${by} of the same VM is newer`;
    if (Date.parse(other.issuedAt) > Date.parse(intent.issuedAt)) {
      return { state: 'rejected', code: 'superseded', reason: reason(other.id) };
    }
    const at = systemClock.now().toISOString();
    const outcome: Outcome = { v: wireVersion, kind: 'aborted', id: other.id, at, reason: reason(intent.id) };
    await broker.publishOutcome(other.target, outcome);
    return null;
  }

  async #settle(outcome: Outcome, delivery: number): Promise<IntentVerdict> {
    const { broker, config } = this.#parts;
    let run = this.#runs.get(outcome.id);
    const record = run?.record ?? (await broker.records.get(outcome.id))?.value;
    if (record === undefined) {
      if (delivery < outcomeDeliveries) return 'later';
      const message = `${outcome.kind} was said of a migration that nobody announced`;
      await this.#reject(outcome.id, { code: 'migration_unknown', message });
      return 'done';
    }
    if (run === undefined && record.target === config.replica && !isEnd(record.state))
      run = await this.#start(record);
    const trigger = outcome.kind === 'arrived' ? 'arrive' : 'abort';
    const reason = outcome.reason === undefined ? {} : { reason: outcome.reason };
    const changed = run?.apply(trigger, reason) ?? false;
    if (outcome.kind === 'arrived') await this.#switchRoute(record);
    if (!changed) await this.#remark(run ?? new MigrationRun(this.#parts, record, this.#stop), outcome);
    return 'done';
  }

  /** The newest migration of a VM decides where it reads; an older one that is told late does not. */
  async #switchRoute(record: MigrationRecord): Promise<void> {
    const { broker, logger } = this.#parts;
    const pointer = (await broker.vms.get(record.vm))?.value;
    if (pointer !== undefined && pointer.migration !== record.id) return;
    const { id: migration, vm, target: replica } = record;
    const route = await broker.routes.setUnless(vm, { replica, migration }, (current) =>
      movedOn(current, record),
    );
    if (route === null) return;
    logger.info({ migration, vm, route: route.replica, epoch: route.epoch }, 'route switched');
  }

  async #remark(run: MigrationRun, outcome: Outcome): Promise<void> {
    run.remark(`${outcome.kind} changes nothing: the migration is ${run.record.state}`);
    await run.written();
  }

  /** `accepted`: just now, and its record is stored; else an agent before this one may have told some of its states. */
  async #start(record: MigrationRecord, now: { readonly accepted?: true } = {}): Promise<MigrationRun> {
    const running = this.#runs.get(record.id);
    if (running !== undefined) return running;
    const { broker, config, logger } = this.#parts;
    const key = pairKey(config.replica, record.id);
    const run = new MigrationRun(this.#parts, record, this.#stop);
    this.#runs.set(record.id, run);
    // Until then its message is not acknowledged, so that it would be delivered to the agent after this one.
    const marked = retry(() => broker.active.put(key, this.#pointer(record)), { signal: this.#stop });
    const work = run.run(this.#stop, now).finally(async () => {
      this.#runs.delete(record.id);
      this.#working.delete(work);
      if (!isEnd(run.record.state)) return;
      await marked.catch(() => {});
      await retry(() => broker.active.delete(key), { signal: this.#stop }).catch((error) =>
        logger.warn({ error: String(error) }, 'the mark of an ended migration stays until the next start'),
      );
    });
    this.#working.add(work);
    // Its acceptance is told by then.
    if (now.accepted) void this.#parts.precedence.first(() => run.written());
    await marked;
    return run;
  }

  async #resume(): Promise<void> {
    const { broker, config, logger } = this.#parts;
    for (const { key, value } of await broker.active.list(`${config.replica}.*`)) {
      const record = (await broker.records.get(value.migration))?.value;
      if (record === undefined || isEnd(record.state)) {
        if (record !== undefined) await this.#tellEnd(record);
        await broker.active.delete(key);
        continue;
      }
      const { id: migration, vm, state } = record;
      logger.info({ migration, vm, state }, 'taking a migration up again');
      // The agent may have died between the arrival and the switch.
      if (record.arrivedAt !== undefined) await this.#switchRoute(record);
      await this.#start(record);
    }
  }

  /** The agent may have died between an end and its event. */
  async #tellEnd(record: MigrationRecord): Promise<void> {
    const run = new MigrationRun(this.#parts, record, this.#stop);
    await run.tellUntold(this.#stop);
    await run.written();
  }

  async #refuse(record: MigrationRecord, { state, code, reason }: Refusal): Promise<void> {
    const { broker } = this.#parts;
    const endedAt = systemClock.now().toISOString();
    const refused = { ...record, state, reason, error: { code, message: reason }, endedAt };
    await broker.records.create(record.id, refused);
    await this.#reject(record.id, { code, message: reason }, refused);
  }

  /** Says why a message was refused, under the best name that it has. */
  async #reject(
    id: string,
    failure: { readonly code: ErrorCode; readonly message: string },
    record?: MigrationRecord,
  ): Promise<void> {
    const { broker, config, logger, metrics } = this.#parts;
    const vm = record === undefined ? {} : { vm: record.vm };
    logger.warn({ migration: id, ...vm, code: failure.code, reason: failure.message }, 'refused a message');
    metrics.refused(failure.code);
    if (record !== undefined) metrics.migration(null, record);
    const state = record?.state ?? 'rejected';
    await broker.events.publish(
      {
        v: wireVersion,
        id,
        ...(record === undefined ? {} : { vm: record.vm }),
        ...(record?.source === undefined ? {} : { source: record.source }),
        target: record?.target ?? config.replica,
        state,
        at: systemClock.now().toISOString(),
        reason: failure.message,
        code: failure.code,
      },
      record === undefined ? undefined : `event.${id}.${state}`,
    );
  }

  #pointer(record: MigrationRecord) {
    const at = systemClock.now().toISOString();
    return { v: wireVersion, migration: record.id, target: record.target, at } as const;
  }
}

interface Refusal {
  readonly state: 'rejected' | 'expired';
  readonly code: ErrorCode;
  readonly reason: string;
}
