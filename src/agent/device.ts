import type { Broker } from '../broker/broker.ts';
import type { Logger } from '../lib/logger.ts';
import { wireVersion } from '../messages/names.ts';
import { type CostModel, createCostModel, type DeviceCost } from '../planning/cost-model.ts';
import {
  boundStep,
  cuttingCost,
  endLearning,
  learnStep,
  startLearning,
} from '../planning/device-learning.ts';
import type { ReadStep, StepLimits } from '../planning/extents.ts';
import type { ServerWatch } from './server-watch.ts';

/** What fewer windows tell may be far off, and a pace kept by it never shows that. */
const leastWeight = 5;
/** A volume that has become faster shows at full pace alone. */
const staleMs = 7 * 24 * 3_600_000;

/** What this target's disk costs: learned from every read, and kept over restarts. */
export class Device {
  readonly #broker: Broker;
  readonly #replica: string;
  readonly #watch: Pick<ServerWatch, 'identity'>;
  readonly #logger: Logger;
  #learning = startLearning(createCostModel());
  #learnedAt: Date | null = null;

  constructor(options: {
    readonly broker: Broker;
    readonly replica: string;
    readonly watch: Pick<ServerWatch, 'identity'>;
    readonly logger: Logger;
  }) {
    this.#broker = options.broker;
    this.#replica = options.replica;
    this.#watch = options.watch;
    this.#logger = options.logger;
  }

  get model(): CostModel {
    return this.#inPieces(this.#learning.model);
  }

  /** The bounds of the next step: less than what is allowed while little is known of the device. */
  bound(allowed: StepLimits): StepLimits {
    return boundStep(this.#learning, allowed);
  }

  /** The cost by which the next step is to be cut. */
  get cuttingCost(): DeviceCost {
    return this.#inPieces(cuttingCost(this.#learning));
  }

  /** False: it is to be read from at full pace, for it was never measured, or may be faster by now. */
  get known(): boolean {
    const ageMs =
      this.#learnedAt === null ? Number.POSITIVE_INFINITY : Date.now() - this.#learnedAt.getTime();
    return this.#learning.model.weight >= leastWeight && ageMs < staleMs;
  }

  #inPieces<T extends DeviceCost>(cost: T): T {
    return { ...cost, pieceBlocks: this.#watch.identity?.pieceBlocks };
  }

  learn(step: ReadStep<unknown>, ms: number): void {
    const { windows } = this.#learning;
    this.#learning = learnStep(this.#learning, step, ms);
    if (this.#learning.windows > windows) this.#learnedAt = new Date();
  }

  /** Takes up what an earlier run learned; a device nobody knows starts from the prior. */
  async restore(): Promise<void> {
    const stored = await this.#broker.devices.get(this.#replica).catch(() => null);
    if (stored === null) return;
    this.#learning = startLearning(createCostModel(stored.value));
    this.#learnedAt = new Date(stored.value.at);
  }

  async save(): Promise<void> {
    this.#learning = endLearning(this.#learning);
    const { operationMs, byteMs, rule, weight } = this.model;
    const at = (this.#learnedAt ?? new Date()).toISOString();
    await this.#broker.devices
      .put(this.#replica, { v: wireVersion, at, operationMs, byteMs, rule, weight })
      .catch((error) =>
        this.#logger.debug({ error: String(error) }, 'the learned cost of the disk was not saved'),
      );
  }
}
