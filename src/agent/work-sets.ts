import type { AgentConfig } from '../config/options.ts';
import type { Engine } from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import { ForewarmError } from '../lib/errors.ts';
import type { WorkSet } from '../planning/work-set.ts';
import type { Profiles } from './profiles.ts';

/** A walk of the pool is done at most this part of the time, whoever asks how often. */
const dutyCycle = 0.05;

interface Kept {
  readonly workSet: WorkSet;
  readonly takenMs: number;
  readonly costMs: number;
}

/** The work sets of this replica as a source: each costs a walk of the whole pool, so they are shared and kept. */
export class WorkSets {
  readonly #config: AgentConfig;
  readonly #engine: Engine;
  readonly #profiles: Profiles;
  readonly #kept = new Map<string, Kept>();
  readonly #underWay = new Map<string, Promise<WorkSet>>();

  constructor(options: {
    readonly config: AgentConfig;
    readonly engine: Engine;
    readonly profiles: Profiles;
  }) {
    this.#config = options.config;
    this.#engine = options.engine;
    this.#profiles = options.profiles;
  }

  /**
   * A VM's work set, not older than `maxAgeMs` or than the cost of a walk allows.
   * Rejects with `vm_unknown`, or with what the database said.
   */
  async of(vm: string, maxAgeMs: number): Promise<WorkSet> {
    const kept = this.#kept.get(vm);
    if (kept !== undefined) {
      const ageMs = systemClock.monotonicMs() - kept.takenMs;
      if (ageMs < Math.max(maxAgeMs, kept.costMs / dutyCycle)) return kept.workSet;
    }
    const running = this.#underWay.get(vm);
    if (running !== undefined) return await running;
    const taking = this.#take(vm).finally(() => this.#underWay.delete(vm));
    this.#underWay.set(vm, taking);
    return await taking;
  }

  async #take(vm: string): Promise<WorkSet> {
    if (!this.#profiles.knows(vm)) {
      throw new ForewarmError(
        'vm_unknown',
        `no rule of ${this.#config.replica}'s configuration leads to VM ${vm}`,
        {
          hint: 'Add a rule for it under `vms` in the file of the agent.',
        },
      );
    }
    if (this.#profiles.get(vm) === null) await this.#profiles.collect();
    const startMs = systemClock.monotonicMs();
    const workSet = await this.#engine.workSet(vm, this.#profiles.get(vm)?.relations ?? []);
    const endMs = systemClock.monotonicMs();
    this.#kept.set(vm, { workSet, takenMs: endMs, costMs: endMs - startMs });
    return workSet;
  }
}
