import { expect, it } from 'vitest';
import { Undisturbed } from '../../../src/lab/experiment/undisturbed.ts';

/** Gives one run after the other. */
function runs(...shares: (number | undefined)[]) {
  let next = 0;
  return async () => ({ number: next + 1, stolenShare: shares[next++] });
}

it('makes a run again while the host is busy with others, and keeps what it set aside', async () => {
  const undisturbed = new Undisturbed({ stolenShare: 0.07, again: 5 });
  expect(await undisturbed.run(runs(0.5, 0.08, 0.07))).toMatchObject({ number: 3 });
  expect(undisturbed.setAside).toMatchObject([{ number: 1 }, { number: 2 }]);
});

it('takes runs as they are once it has made so many again, in all', async () => {
  const undisturbed = new Undisturbed({ stolenShare: 0.07, again: 2 });
  expect(await undisturbed.run(runs(0.5, 0.01))).toMatchObject({ number: 2 });
  expect(await undisturbed.run(runs(0.5, 0.4, 0.01))).toMatchObject({ number: 2 });
  expect(undisturbed.setAside).toHaveLength(2);
});

it('takes every run where nothing is said, or where the host tells nothing', async () => {
  expect(await new Undisturbed().run(runs(0.9))).toMatchObject({ number: 1 });
  const undisturbed = new Undisturbed({ stolenShare: 0.07, again: 2 });
  expect(await undisturbed.run(runs(undefined))).toMatchObject({ number: 1 });
});
