import {
  ageing,
  type CostModel,
  type DeviceCost,
  estimateMs,
  leastByteMs,
  type ReadSample,
  withSample,
} from './cost-model.ts';

/** Beyond this many scales off, a sample counts less: a chunk that stalled says nothing of the device. */
const outlierScales = 2.5;
/** How far the prior may be off, in multiples of itself: bandwidth varies far less between devices than seeks. */
const priorTrust = 0.05;
/** The same where samples say as well that they waited for operations as that they waited for bytes. */
const priorTrustOfBounds = 0.3;
const priorSpread = { operation: 8, byte: 1.5 };
/** A rule is given up only for one that explains the samples by so much better. */
const clearlyBetter = 0.8;
const leastSamplesForRule = 3;
/** A sample that is off by more counts as off by this, in natural logarithms. */
const mostError = 1;
/** Of samples that waited for their bytes, the fast ones tell the bandwidth: some of the others waited for operations. */
const bandwidthPart = 0.25;

/** Takes in one measured read. Reads of no bytes or no time teach nothing. */
export function learn(model: CostModel, sample: ReadSample): CostModel {
  const samples = withSample(model.samples, sample);
  if (samples === null) return model;
  const { prior } = model;
  const kept = ageing ** samples.length;
  const weight = prior.weight * kept + (1 - kept) / (1 - ageing);
  const fits = { sum: fitSum(samples, prior), max: fitMax(samples, prior) };
  const other = model.rule === 'sum' ? 'max' : 'sum';
  const better =
    samples.length >= leastSamplesForRule &&
    errorOf(fits[other], samples) < clearlyBetter * errorOf(fits[model.rule], samples);
  return { ...model, ...fits[better ? other : model.rule], samples, weight };
}

const ageWeight = (samples: readonly ReadSample[], index: number) => ageing ** (samples.length - 1 - index);

/** Mean of how far the samples are off, in logarithms, the newest counting most; stalls are capped. */
function errorOf(cost: DeviceCost, samples: readonly ReadSample[]): number {
  let errors = 0;
  let weights = 0;
  for (const [i, { operations, bytes, ms }] of samples.entries()) {
    const predicted = Math.max(1e-6, estimateMs(cost, operations, bytes));
    errors += ageWeight(samples, i) * Math.min(mostError, Math.abs(Math.log(ms / predicted)));
    weights += ageWeight(samples, i);
  }
  return errors / weights;
}

/**
 * Each sample is held up by its operations or by its bytes: by its operations where it has more of them
 * for its bytes than some bound. Tries every bound; the figures are quantiles, so that stalls do not count.
 */
function fitMax(samples: readonly ReadSample[], prior: CostModel['prior']): DeviceCost {
  const order = samples
    .map((sample, i) => ({ ...sample, weight: ageWeight(samples, i) }))
    .sort((a, b) => b.operations / b.bytes - a.operations / a.bytes);
  let best: DeviceCost = { ...prior, rule: 'max' };
  let least = Number.POSITIVE_INFINITY;
  for (let bound = 0; bound <= order.length; bound++) {
    const byOperations = order.slice(0, bound).filter(({ operations }) => operations > 0);
    const byBytes = order.slice(bound);
    const perOperation = byOperations.map((one) => ({ value: one.ms / one.operations, weight: one.weight }));
    const perByte = byBytes.map((one) => ({ value: one.ms / one.bytes, weight: one.weight }));
    // What no sample was held up by costs at most what the samples leave room for.
    const room = (of: (one: ReadSample) => number) => Math.min(...samples.map(of).filter((one) => one > 0));
    const operationMs =
      quantileOf(perOperation, 0.5) ??
      Math.min(
        prior.operationMs,
        room(({ operations, ms }) => (operations > 0 ? ms / operations : 0)),
      );
    const byteMs =
      quantileOf(perByte, bandwidthPart) ??
      Math.min(
        prior.byteMs,
        room(({ bytes, ms }) => ms / bytes),
      );
    const cost: DeviceCost = { operationMs, byteMs: Math.max(leastByteMs, byteMs), rule: 'max' };
    const error = errorOf(cost, samples) + distance(cost, prior) / samples.length;
    if (error < least) [best, least] = [cost, error];
  }
  return best;
}

/** How far a cost is from the prior; decides between fits that the samples cannot tell apart. */
function distance(cost: DeviceCost, prior: CostModel['prior']): number {
  const off = (value: number, from: number) =>
    Math.abs(Math.log(Math.max(value, 1e-9) / Math.max(from, 1e-9)));
  const operation = off(cost.operationMs, prior.operationMs) / priorSpread.operation;
  return priorTrustOfBounds * (operation + off(cost.byteMs, prior.byteMs) / priorSpread.byte);
}

function quantileOf(
  values: readonly { readonly value: number; readonly weight: number }[],
  part: number,
): number | undefined {
  const sorted = [...values].sort((a, b) => a.value - b.value);
  const least = part * sorted.reduce((sum, { weight }) => sum + weight, 0);
  let sum = 0;
  for (const { value, weight } of sorted) {
    sum += weight;
    if (sum >= least) return value;
  }
  return undefined;
}

/**
 * Least squares of relative errors over the window, never negative, held near the prior as far as
 * the samples leave it open; reweighted so that outliers lose their pull.
 */
function fitSum(samples: readonly ReadSample[], prior: CostModel['prior']): DeviceCost {
  let cost: DeviceCost = { ...prior, rule: 'sum' };
  let scale = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 8; round++) {
    const predicted = (s: ReadSample) => Math.max(1e-6, estimateMs(cost, s.operations, s.bytes));
    // Relative to the measured time at first: the prior may be wrong by orders of magnitude.
    const size = (s: ReadSample) => (round === 0 ? s.ms : Math.sqrt(predicted(s) * s.ms));
    const pull = (s: ReadSample) => {
      const off = Math.abs(Math.log(s.ms / predicted(s)));
      return off <= outlierScales * scale ? 1 : ((outlierScales * scale) / off) ** 2;
    };
    cost = solve(
      samples.map((s, i) => ({ ...s, w: (ageWeight(samples, i) * pull(s)) / size(s) ** 2 })),
      prior,
    );
    if (samples.length >= 4) {
      const errors = samples.map((s) => Math.abs(Math.log(s.ms / predicted(s)))).sort((a, b) => a - b);
      scale = Math.max(0.05, 1.5 * errors[Math.floor(errors.length / 2)]!);
    }
  }
  return cost;
}

function solve(rows: readonly (ReadSample & { w: number })[], prior: CostModel['prior']): DeviceCost {
  // As forgotten as the samples are old, but never wholly: alike samples leave one direction open.
  const trust = priorTrust * (1 + prior.weight) * Math.max(0.1, ageing ** rows.length);
  const op = trust / (priorSpread.operation * Math.max(prior.operationMs, 0.01)) ** 2;
  const byte = trust / (priorSpread.byte * prior.byteMs) ** 2;
  let oo = op;
  let ob = 0;
  let bb = byte;
  let ot = oo * prior.operationMs;
  let bt = bb * prior.byteMs;
  for (const { operations: o, bytes: b, ms, w } of rows) {
    oo += w * o * o;
    ob += w * o * b;
    bb += w * b * b;
    ot += w * o * ms;
    bt += w * b * ms;
  }
  const determinant = oo * bb - ob * ob;
  let operationMs = (ot * bb - bt * ob) / determinant;
  let byteMs = (bt * oo - ot * ob) / determinant;
  if (!(operationMs >= 0)) {
    operationMs = 0;
    byteMs = bt / bb;
  }
  if (!(byteMs >= leastByteMs)) {
    byteMs = leastByteMs;
    operationMs = Math.max(0, (ot - ob * byteMs) / oo);
  }
  return { operationMs, byteMs, rule: 'sum' };
}
