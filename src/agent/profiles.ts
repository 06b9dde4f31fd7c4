import { createHash } from 'node:crypto';
import { addObservation } from '../attribution/profile.ts';
import { isNews } from '../attribution/profile-news.ts';
import type { Broker } from '../broker/broker.ts';
import { pairKey } from '../broker/bucket.ts';
import type { AgentConfig } from '../config/options.ts';
import type { Engine, VmObservation } from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Service } from '../lib/service.ts';
import type { Profile } from '../messages/profile.ts';
import type { AgentMetrics } from './agent-metrics.ts';

/** Block accesses of one VM at this replica since the agent's start; they only rise. */
export interface VmCounters {
  readonly blocksHit: number;
  readonly blocksRead: number;
}

const fastSampleMs = 20;
/** So many readings of the statistics without a read, and the VM counts as gone. */
const recentReadings = 3;
/** After so many readings, 6 on average, a profile is published although it says the same: not all of them at once. */
const readingsToRenewal = { least: 4, most: 8 };

/**
 * Watches who touches what: samples often, reads the statistics rarely, ages what it learned into one
 * profile a VM, and publishes the profiles so that they outlive the agent.
 */
export class Profiles implements Service {
  readonly name = 'profiles';
  readonly #config: AgentConfig;
  readonly #engine: Engine;
  readonly #broker: Broker;
  readonly #logger: Logger;
  readonly #metrics: Pick<AgentMetrics, 'samplingFailed'>;
  readonly #profiles = new Map<string, Profile>();
  readonly #counters = new Map<string, VmCounters>();
  readonly #readAtMs = new Map<string, number>();
  readonly #published = new Map<string, Profile>();
  #collecting: Promise<void> | null = null;
  #burst: Promise<void> | null = null;
  #failing = false;

  constructor(options: {
    readonly config: AgentConfig;
    readonly engine: Engine;
    readonly broker: Broker;
    readonly logger: Logger;
    readonly metrics: Pick<AgentMetrics, 'samplingFailed'>;
  }) {
    this.#config = options.config;
    this.#engine = options.engine;
    this.#broker = options.broker;
    this.#logger = options.logger;
    this.#metrics = options.metrics;
  }

  /** Null when nothing was seen of the VM. */
  get(vm: string): Profile | null {
    return this.#profiles.get(vm) ?? null;
  }

  /** True when a rule of the configuration leads to the VM. */
  knows(vm: string): boolean {
    return this.#config.vms.some((rule) => rule.vm === vm) || this.#profiles.has(vm);
  }

  counters(vm: string): VmCounters {
    return this.#counters.get(vm) ?? { blocksHit: 0, blocksRead: 0 };
  }

  /** True when the VM was seen reading here within the last few readings of the statistics. */
  readsHere(vm: string): boolean {
    const sinceMs = systemClock.monotonicMs() - (this.#readAtMs.get(vm) ?? Number.NEGATIVE_INFINITY);
    return sinceMs < recentReadings * this.#config.observe.collectMs;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#restore();
    let collectAtMs = systemClock.monotonicMs();
    while (!signal.aborted) {
      await this.#guarded('sample', () => this.#engine.observer.sample());
      if (systemClock.monotonicMs() >= collectAtMs) {
        await this.collect();
        await this.#publish((published, now) => isNews(published, now, this.#renewalMs(now.vm)));
        collectAtMs = systemClock.monotonicMs() + this.#config.observe.collectMs;
      }
      await systemClock.sleep(this.#config.observe.intervalMs, signal);
    }
    await this.collect();
    await this.#publish((published, now) => published?.at !== now.at);
  }

  /** Takes in everything that happened until now; never rejects. */
  async collect(): Promise<void> {
    this.#collecting ??= this.#guarded('collect', () => this.#collect()).finally(() => {
      this.#collecting = null;
    });
    await this.#collecting;
  }

  /** A fast burst of samples where samples tell what is the VM's, then everything since: for a better split when an intent is there. */
  async sharpen(vm: string): Promise<void> {
    if (this.get(vm)?.splitShare === 0) return await this.collect();
    this.#burst ??= this.#fastBurst().finally(() => {
      this.#burst = null;
    });
    await this.#burst;
  }

  async #fastBurst(): Promise<void> {
    const endMs = systemClock.monotonicMs() + this.#config.observe.burstMs;
    while (systemClock.monotonicMs() < endMs) {
      await this.#guarded('sample', () => this.#engine.observer.sample());
      await systemClock.sleep(fastSampleMs);
    }
    await this.collect();
  }

  async #collect(): Promise<void> {
    const observation = await this.#engine.observer.collect();
    const at = systemClock.now();
    for (const [vm, seen] of observation.vms) {
      this.#count(vm, seen);
      const options = {
        replica: this.#config.replica,
        vm,
        at,
        halfLifeMs: this.#config.observe.halfLifeMs,
      };
      this.#profiles.set(vm, addObservation(this.#profiles.get(vm) ?? null, seen, options));
    }
    if (observation.unmatched.sessions > 0) {
      this.#logger.debug(observation.unmatched, 'sessions that no rule matches');
    }
  }

  #count(vm: string, seen: VmObservation): void {
    const before = this.counters(vm);
    if (seen.blocks > 0) this.#readAtMs.set(vm, systemClock.monotonicMs());
    this.#counters.set(vm, {
      blocksHit: before.blocksHit + seen.blocksHit,
      blocksRead: before.blocksRead + seen.blocksRead,
    });
  }

  async #restore(): Promise<void> {
    const stored = await this.#broker.profiles.list(`${this.#config.replica}.*`).catch((error) => {
      this.#logger.warn({ error: String(error) }, 'earlier profiles could not be read; starting without');
      return [];
    });
    for (const { value } of stored) {
      this.#published.set(value.vm, value);
      if (!this.#profiles.has(value.vm)) this.#profiles.set(value.vm, value);
    }
  }

  async #publish(worthIt: (published: Profile | undefined, now: Profile) => boolean): Promise<void> {
    for (const [vm, profile] of this.#profiles) {
      if (!worthIt(this.#published.get(vm), profile)) continue;
      try {
        await this.#broker.profiles.put(pairKey(this.#config.replica, vm), profile);
        this.#published.set(vm, profile);
      } catch (error) {
        this.#logger.warn({ vm, error: String(error) }, 'a profile could not be published; it is kept');
        return;
      }
    }
  }

  #renewalMs(vm: string): number {
    const { least, most } = readingsToRenewal;
    const { replica, observe } = this.#config;
    const phase = createHash('sha1').update(pairKey(replica, vm)).digest().readUInt16BE() / 2 ** 16;
    return observe.collectMs * (least + phase * (most - least));
  }

  /** One warning when watching starts to fail, one line when it works again. */
  async #guarded(kind: 'sample' | 'collect', work: () => Promise<void>): Promise<void> {
    try {
      await work();
      if (this.#failing) this.#logger.info('watching works again');
      this.#failing = false;
    } catch (error) {
      this.#metrics.samplingFailed(kind);
      if (!this.#failing)
        this.#logger.warn({ error: (error as Error).message }, 'watching the sessions fails');
      this.#failing = true;
    }
  }
}
