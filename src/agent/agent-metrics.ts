import type { AgentConfig } from '../config/options.ts';
import type { QueryListener } from '../engines/engine.ts';
import type { ErrorCode } from '../lib/errors.ts';
import { forewarmVersion } from '../lib/version.ts';
import type { MigrationRecord } from '../messages/record.ts';
import { migrationStates } from '../messages/states.ts';
import { agentMetrics as declared } from '../metrics/agent-metrics.ts';
import { Instruments } from '../metrics/instruments.ts';
import { isEnd } from '../migration/transitions.ts';
import { pauseReasons } from '../planning/throttle.ts';
import type { StepReport } from './read-plan.ts';

const otherVm = 'other';
const ends = migrationStates.filter(isEnd);

/** What an agent counts as it happens. Label values come from closed lists: see `src/metrics/agent-metrics.ts`. */
export class AgentMetrics {
  readonly instruments: Instruments;
  /** Told of each statement at the database. */
  readonly onQuery: QueryListener;
  readonly #vms: ReadonlySet<string>;
  readonly #counts;

  /** `instruments`: those of the process, unless it has several agents. */
  constructor(config: AgentConfig, instruments = Instruments.ofProcess({ replica: config.replica })) {
    this.#vms = new Set(config.vms.map((rule) => rule.vm));
    const on = instruments;
    this.instruments = on;
    this.#counts = {
      ended: on.counter(declared.ended),
      deadlines: on.counter(declared.deadlines),
      readyTime: on.histogram(declared.readyTime),
      refused: on.counter(declared.refused),
      plannedBlocks: on.counter(declared.plannedBlocks),
      plannedBytes: on.counter(declared.plannedBytes),
      skippedBlocks: on.counter(declared.skippedBlocks),
      skippedBytes: on.counter(declared.skippedBytes),
      readBlocks: on.counter(declared.readBlocks),
      readBytes: on.counter(declared.readBytes),
      rounds: on.counter(declared.rounds),
      throttled: on.counter(declared.throttled),
      usefulShare: on.gauge(declared.usefulShare),
      hitRatio: on.gauge(declared.hitRatio),
      requests: on.counter(declared.requests),
      samplingErrors: on.counter(declared.samplingErrors),
    };
    const queryTime = on.histogram(declared.queryTime);
    const queryErrors = on.counter(declared.queryErrors);
    this.onQuery = (query, seconds, failed) => {
      queryTime.observe({ query }, seconds);
      queryErrors.add({ query }, failed ? 1 : 0);
    };
    on.sampled(declared.build, () => [[{ version: forewarmVersion, node: process.version }, 1]]);
    on.sampled(declared.lagLimit, () => [[{}, config.warm.maxLagMs / 1000]]);
    this.#startAtZero();
  }

  /** A VM as a label: names of VMs come with intents, which anybody may publish. */
  vmLabel(vm: string): string {
    return this.#vms.has(vm) ? vm : otherVm;
  }

  /** A record changed; `before` is null for a migration that was refused at once. */
  migration(before: MigrationRecord | null, after: MigrationRecord): void {
    const vm = this.vmLabel(after.vm);
    const { deadlines, readyTime, ended, usefulShare, hitRatio } = this.#counts;
    if (before?.state !== after.state) {
      if (after.readyAt !== undefined && before?.readyAt === undefined) {
        readyTime.observe({ vm }, secondsBetween(after.issuedAt, after.readyAt));
      }
      const decided = after.deadlineMet !== undefined && before?.deadlineMet === undefined;
      if (decided && after.state !== 'aborted') {
        deadlines.add({ vm, outcome: after.deadlineMet ? 'met' : 'missed' });
      }
      if (isEnd(after.state)) ended.add({ vm, state: after.state });
      // The plan stands from then on, but for what a hold adds.
      const stands = after.state === 'ready' || after.state === 'arrived' || isEnd(after.state);
      if (before?.readyAt === undefined && before?.arrivedAt === undefined && stands)
        this.#planned(vm, after);
    }
    const worth = before?.afterArrival === undefined ? after.afterArrival : undefined;
    if (worth?.precision !== undefined) usefulShare.set({ vm }, worth.precision);
    if (worth?.hitRatio !== undefined) hitRatio.set({ vm }, worth.hitRatio);
  }

  /** A step of reading was carried out. */
  step(vm: string, { step, blocks, throttledMs }: StepReport): void {
    const { readBlocks, readBytes, throttled } = this.#counts;
    readBlocks.add({ vm: this.vmLabel(vm) }, blocks);
    readBytes.add({ vm: this.vmLabel(vm) }, blocks > 0 ? step.bytes : 0);
    for (const [reason, ms] of Object.entries(throttledMs)) throttled.add({ reason }, ms / 1000);
  }

  round(vm: string): void {
    this.#counts.rounds.add({ vm: this.vmLabel(vm) });
  }

  refused(code: ErrorCode): void {
    this.#counts.refused.add({ code });
  }

  request(kind: string, code: ErrorCode | 'ok'): void {
    this.#counts.requests.add({ kind, code });
  }

  samplingFailed(work: 'sample' | 'collect'): void {
    this.#counts.samplingErrors.add({ work });
  }

  #planned(vm: string, { plan, workSet }: MigrationRecord): void {
    if (plan === undefined) return;
    const { plannedBlocks, plannedBytes, skippedBlocks, skippedBytes } = this.#counts;
    plannedBlocks.add({ vm }, plan.blocks);
    plannedBytes.add({ vm }, plan.bytes);
    const { blocks, bytes } = plan.blocks > 0 ? plan : (workSet ?? plan);
    const blockBytes = blocks > 0 ? bytes / blocks : 0;
    for (const [reason, count] of Object.entries(plan.skipped ?? {})) {
      skippedBlocks.add({ vm, reason }, count);
      skippedBytes.add({ vm, reason }, count * blockBytes);
    }
  }

  /** A counter that appears with its first event hides that event from `increase()`. */
  #startAtZero(): void {
    const { ended, deadlines, refused, samplingErrors, throttled, ...perVm } = this.#counts;
    for (const work of ['sample', 'collect'] as const) samplingErrors.add({ work }, 0);
    for (const code of ['message_malformed', 'version_unsupported', 'superseded'] as const) {
      refused.add({ code }, 0);
    }
    for (const reason of pauseReasons) throttled.add({ reason }, 0);
    for (const vm of [...this.#vms, otherVm]) {
      for (const state of ends) ended.add({ vm, state }, 0);
      for (const outcome of ['met', 'missed']) deadlines.add({ vm, outcome }, 0);
      const { plannedBlocks, plannedBytes, readBlocks, readBytes, rounds } = perVm;
      for (const count of [plannedBlocks, plannedBytes, readBlocks, readBytes, rounds]) count.add({ vm }, 0);
    }
  }
}

function secondsBetween(from: string, to: string): number {
  // Two hosts' clocks.
  return Math.max(0, Date.parse(to) - Date.parse(from)) / 1000;
}
