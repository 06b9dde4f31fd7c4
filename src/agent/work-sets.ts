import type { AgentConfig } from '../config/options.ts';
import type { Engine } from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import { ForewarmError } from '../lib/errors.ts';
import { TimeBudget } from '../lib/time-budget.ts';
import type { WorkSet } from '../planning/work-set.ts';
import type { Profiles } from './profiles.ts';

/** Walks of the pool take at most this part of the time, whoever asks how often, once what was saved up is spent. */
const walkShare = 0.05;
/** Enough for a migration of a pool of some gigabytes to see at its end what the VM touched since its start. */
const walkBurstMs = 2_000;

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
  readonly #walkTime = new TimeBudget({ clock: systemClock, share: walkShare, burstMs: walkBurstMs });
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
   * A VM's work set, not older than `maxAgeMs` as far as the cost of a walk allows that.
   * Rejects with `vm_unknown`, or with what the database said.
   */
  async of(vm: string, maxAgeMs: number): Promise<WorkSet> {
    const kept = this.#kept.get(vm);
    if (kept !== undefined) {
      const ageMs = systemClock.monotonicMs() - kept.takenMs;
      // Walks for other VMs must not make this one's old for ever.
      const mayWait = this.#walkTime.isSpent && ageMs < kept.costMs / walkShare;
      if (ageMs < maxAgeMs || mayWait) return kept.workSet;
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
    const relations = this.#profiles.get(vm)?.relations ?? [];
    const startMs = systemClock.monotonicMs();
    const workSet = await this.#walkTime.run(() => this.#engine.workSet(vm, relations));
    const takenMs = systemClock.monotonicMs();
    this.#kept.set(vm, { workSet, takenMs, costMs: takenMs - startMs });
    return workSet;
  }
}
