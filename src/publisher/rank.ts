import type { Estimate } from '../messages/requests.ts';

/** Best first: candidates before those with a reason against them, then what fits, seconds, lag, name. */
export function rankEstimates(estimates: readonly Estimate[]): readonly Estimate[] {
  const keys = (estimate: Estimate) => [
    estimate.reason === undefined ? 0 : 1,
    estimate.fits ? 0 : 1,
    estimate.seconds,
    estimate.lagMs ?? Number.POSITIVE_INFINITY,
  ];
  return [...estimates].sort((a, b) => {
    const left = keys(a);
    const right = keys(b);
    for (const [index, value] of left.entries()) {
      if (value !== right[index]) return value < right[index]! ? -1 : 1;
    }
    return a.replica < b.replica ? -1 : 1;
  });
}
