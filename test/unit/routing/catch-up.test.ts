import { expect, test } from 'vitest';
import { catchUp } from '../../../src/routing/catch-up.ts';
import type { Probe, Shown } from '../../../src/routing/driver.ts';

function probe(parts: Partial<Probe>): Probe {
  return {
    position: async () => 7,
    shows: async () => ({ is: 'yes' }),
    ping: async () => {},
    kill: async () => {},
    close: () => {},
    ...parts,
  };
}

const limit = { limitMs: 30 };

test('waits until the position of the old one is shown', async () => {
  const answers: Shown[] = [{ is: 'no' }, { is: 'no' }, { is: 'yes' }];
  const asked: unknown[] = [];
  const to = probe({
    shows: async (position) => {
      asked.push(position);
      return answers.shift()!;
    },
  });
  expect(await catchUp(probe({}), to, { limitMs: 10_000 })).toEqual({ is: 'caught up' });
  expect(asked).toEqual([7, 7, 7]);
});

test('says what keeps it', async () => {
  const lags = probe({ shows: async () => ({ is: 'no' }) });
  expect(await catchUp(probe({}), lags, limit)).toMatchObject({ is: 'behind' });
  const other = probe({ shows: async () => ({ is: 'unknown', why: 'another system' }) });
  expect(await catchUp(probe({}), other, limit)).toEqual({ is: 'unknown', why: 'another system' });
  const dead = probe({ position: () => Promise.reject(new Error('terminated')) });
  expect(await catchUp(dead, probe({}), limit)).toEqual({ is: 'old is gone', why: 'terminated' });
  const silent = probe({ position: () => new Promise(() => {}) });
  expect(await catchUp(silent, probe({}), limit)).toMatchObject({ is: 'old is silent' });
  const mute = probe({ shows: () => new Promise(() => {}) });
  expect(await catchUp(probe({}), mute, limit)).toMatchObject({ is: 'behind' });
});

test('a new replica that is lost is no replica', async () => {
  const lost = probe({ shows: () => Promise.reject(new Error('connection lost')) });
  await expect(catchUp(probe({}), lost, limit)).rejects.toThrow('connection lost');
});

test('is interrupted by its signal', async () => {
  const abort = new AbortController();
  const lags = probe({ shows: async () => ({ is: 'no' }) });
  const waiting = catchUp(probe({}), lags, { limitMs: 60_000, signal: abort.signal });
  abort.abort(new Error('superseded'));
  await expect(waiting).rejects.toThrow();
});
