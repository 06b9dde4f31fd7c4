import type { Broker } from '../../broker/broker.ts';
import { preciseNowMs, systemClock } from '../../lib/clock.ts';
import type { MigrationEvent } from '../../messages/event.ts';
import { wireVersion } from '../../messages/names.ts';
import { type MigrationState, migrationStates } from '../../messages/states.ts';
import { isEnd } from '../../migration/transitions.ts';
import type { PlannedIntent } from './schedule.ts';

/** Whose events are measured by: no others are delivered to whoever measures, on the same machine as all the rest. */
export const watchedStates: readonly MigrationState[] = migrationStates.filter(
  (state) => state === 'accepted' || state === 'ready' || isEnd(state),
);

/** What was seen of one intent from outside of its agents; wall clock in ms, undefined where it never came. */
export interface IntentTrace {
  readonly id: string;
  readonly vm: string;
  readonly target: string;
  publishedMs: number;
  /** JetStream has it. */
  storedMs?: number;
  /** The first event that says so, each with how often it was said. */
  acceptedMs?: number;
  acceptedEvents: number;
  /** When the agent itself says that it took it, and that its acceptance was stored. */
  takenMs?: number;
  announcedMs?: number;
  readyMs?: number;
  endedMs?: number;
  state?: MigrationState;
  reason?: string;
}

/** Publishes, watches, and says arrived. */
export class Round {
  readonly traces = new Map<string, IntentTrace>();
  readonly #broker: Broker;
  readonly #moveMs: number;
  #open = 0;
  #failed: unknown;

  constructor(broker: Broker, moveMs: number) {
    this.#broker = broker;
    this.#moveMs = moveMs;
  }

  /** An event as it went over NATS. */
  see(data: Uint8Array): void {
    const atMs = preciseNowMs();
    // Nobody but the agents of this run publishes here.
    const { id, state, at, reason, progress } = JSON.parse(Buffer.from(data).toString()) as MigrationEvent;
    const trace = this.traces.get(id);
    if (trace === undefined || progress !== undefined) return;
    if (state === 'accepted') {
      trace.acceptedEvents += 1;
      trace.acceptedMs ??= atMs;
      trace.announcedMs ??= Date.parse(at);
    }
    if (state === 'ready' && trace.readyMs === undefined) {
      trace.readyMs = atMs;
      void this.#arrive(trace).catch((error) => {
        this.#failed = error;
      });
    }
    if (isEnd(state) && trace.endedMs === undefined) {
      trace.endedMs = atMs;
      this.#open -= 1;
    }
    trace.state = state;
    if (reason !== undefined) trace.reason = reason;
  }

  /** Publishes each intent at its time, whether the ones before are stored or not. */
  async publish(intents: readonly PlannedIntent[], deadlineMs: number): Promise<void> {
    const beginMs = systemClock.monotonicMs();
    this.#open += intents.length;
    const publishing: Promise<void>[] = [];
    for (const intent of intents) {
      await systemClock.sleep(beginMs + intent.atMs - systemClock.monotonicMs());
      publishing.push(this.#publishOne(intent, deadlineMs));
    }
    await Promise.all(publishing);
  }

  /** Resolves when every migration has ended, or after `timeoutMs`; rejects where an arrival could not be said. */
  async settled(timeoutMs: number): Promise<void> {
    const endMs = systemClock.monotonicMs() + timeoutMs;
    while (this.#open > 0 && systemClock.monotonicMs() < endMs) {
      if (this.#failed !== undefined) throw this.#failed;
      await systemClock.sleep(50);
    }
  }

  async #publishOne({ id, vm, source, target }: PlannedIntent, deadlineMs: number): Promise<void> {
    const now = systemClock.now();
    const trace: IntentTrace = { id, vm, target, publishedMs: preciseNowMs(), acceptedEvents: 0 };
    this.traces.set(id, trace);
    await this.#broker.publishIntent({
      ...{ v: wireVersion, kind: 'intent', id, vm, source, target, issuedBy: 'bench' },
      deadline: new Date(now.getTime() + deadlineMs).toISOString(),
      issuedAt: now.toISOString(),
    });
    trace.storedMs = preciseNowMs();
  }

  async #arrive({ id, target }: IntentTrace): Promise<void> {
    await systemClock.sleep(this.#moveMs);
    const at = systemClock.now().toISOString();
    await this.#broker.publishOutcome(target, { v: wireVersion, id, kind: 'arrived', at });
  }
}
