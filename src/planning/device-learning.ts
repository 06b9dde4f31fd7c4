import { learn } from './cost-learning.ts';
import type { CostModel, DeviceCost, ReadSample } from './cost-model.ts';
import type { ReadStep, StepLimits } from './extents.ts';
import { secondPassByteMs } from './gaps.ts';

/**
 * Learning a device while reading from it. Steps are added up to windows, since a limited device lets
 * reads through in bursts and one step says little; and some windows are cut for another device than
 * the believed one, since places gone to and bytes can be told apart only where their ratio varies.
 */
export interface DeviceLearning {
  readonly model: CostModel;
  readonly pending: ReadSample;
  /** Windows learned from since the start. */
  readonly windows: number;
}

/** Disk time of one window, in ms. */
const windowMs = 250;
/** A model that was learned from so many samples earlier need not be tried out at the start. */
const trustedWeight = 6;
/** One of the first steps: of the blocks that are allowed this part, and so many places of the disk. */
const firstPart = 0.25;
const firstPlaces = 16;
/** How much dearer a place gone to is taken to be in the first windows: a cut too wide costs any device little. */
const firstFactors: readonly number[] = [8, 3];
/**
 * The same in every eighth window after them. Of what does not hold reads up only an upper bound is known,
 * so the cut goes there: to wide gaps where places hold it up, to narrow ones where bytes do.
 */
const laterFactors = { places: 2, bytes: 0.6 };
const laterEvery = 8;

/** What a step takes that finds all its blocks in the pool, on an idle PostgreSQL: many tiny steps must not make a device look slow. */
const statementMs = 1.2;

const nothing: ReadSample = { operations: 0, bytes: 0, ms: 0 };

export function startLearning(model: CostModel): DeviceLearning {
  return { model, pending: nothing, windows: 0 };
}

/**
 * Less than what is allowed to a step while little is known: a wrong guess of a large one takes seconds. Not
 * smaller still, for what a statement costs by itself would be taken for the disk's.
 */
export function boundStep({ model, windows }: DeviceLearning, allowed: StepLimits): StepLimits {
  if (model.prior.weight >= trustedWeight) return allowed;
  const growth = 2 ** Math.max(0, windows - firstFactors.length + 1);
  const part = (blocks: number) => Math.max(1, Math.floor(blocks * Math.min(1, firstPart * growth)));
  return {
    ...allowed,
    wantedBlocks: part(allowed.wantedBlocks),
    readBlocks: part(allowed.readBlocks),
    places: Math.min(allowed.places, firstPlaces * growth),
  };
}

/** The cost by which the next step is cut: the believed one, or a variation of it. */
export function cuttingCost({ model, windows }: DeviceLearning): DeviceCost {
  const trusted = model.prior.weight >= trustedWeight;
  const later = windows % laterEvery === laterEvery - 1 ? laterFactors[heldUpBy(model)] : 1;
  const factor = trusted ? later : (firstFactors[windows] ?? later);
  const { operationMs, byteMs, rule } = model;
  return { operationMs: operationMs * factor, byteMs, rule };
}

/** What held up the newest window more, as it is believed. */
function heldUpBy({ samples, operationMs, byteMs }: CostModel): keyof typeof laterFactors {
  const newest = samples.at(-1) ?? nothing;
  return newest.operations * operationMs >= newest.bytes * byteMs ? 'places' : 'bytes';
}

/**
 * Takes in one step and the time that it took. What is read a second time out of the OS cache does not count, nor what
 * a statement takes by itself.
 */
export function learnStep(learning: DeviceLearning, step: ReadStep<unknown>, ms: number): DeviceLearning {
  const { pending, model, windows } = learning;
  const sum = {
    operations: pending.operations + step.operations,
    bytes: pending.bytes + step.bytes,
    ms: pending.ms + Math.max(ms / 2, ms - statementMs - step.secondPassBytes * secondPassByteMs),
  };
  if (sum.ms < windowMs) return { ...learning, pending: sum };
  return { model: learn(model, sum), pending: nothing, windows: windows + 1 };
}

/** At the end of a reading: what is pending is learned if it is most of a window. */
export function endLearning(learning: DeviceLearning): DeviceLearning {
  const { pending, model, windows } = learning;
  if (pending.ms < windowMs / 2) return { ...learning, pending: nothing };
  return { model: learn(model, pending), pending: nothing, windows: windows + 1 };
}
