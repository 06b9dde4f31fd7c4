import { describe, expect, it } from 'vitest';
import type { MysqlConnections } from '../../../../src/engines/mysql/connections.ts';
import { UncountedPages } from '../../../../src/engines/mysql/uncounted-pages.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { ForewarmError } from '../../../../src/lib/errors.ts';

/** A stand-in for a server of which only the sums matter. */
function server(sums: { used: number; counted: number }, clock = systemClock) {
  const connections = { query: async () => [sums] } as unknown as MysqlConnections;
  return new UncountedPages(connections, clock);
}

describe('pages that the counters leave out', () => {
  it('are looked for once for each change of how many they are', async () => {
    const sums = { used: 10_000, counted: 9_980 };
    const uncounted = server(sums);
    const counted = new Map([
      ['a', 100],
      ['b', 50],
    ]);
    const count = async () => counted;
    let walks = 0;
    const walk = async () => {
      walks += 1;
      return new Map([
        ['a', 1_100],
        ['b', 48],
      ]);
    };
    expect(await uncounted.of('db', { walk, count })).toEqual(new Map());
    expect(walks).toBe(0);
    sums.counted = 8_900;
    for (let nth = 0; nth < 3; nth++) {
      expect(Object.fromEntries(await uncounted.of('db', { walk, count }))).toEqual({ a: 1_000, b: 0 });
    }
    expect(walks).toBe(1);
    sums.counted = 9_900;
    await uncounted.of('db', { walk: count, count });
    expect(Object.fromEntries(await uncounted.of('db', { walk, count }))).toEqual({ a: 0, b: 0 });
    expect(walks).toBe(1);
  });

  it('are not taken for there still when fewer are left out, and there is no time for a walk', async () => {
    const sums = { used: 10_000, counted: 5_000 };
    let now = 0;
    const clock = { now: () => new Date(now), monotonicMs: () => now, sleep: async () => {} };
    const uncounted = server(sums, clock);
    const count = async () => new Map([['a', 0]]);
    const walk = async () => {
      now += 10_000;
      return new Map([['a', 5_000]]);
    };
    expect(Object.fromEntries(await uncounted.of('db', { walk, count }))).toEqual({ a: 5_000 });
    sums.counted = 9_990;
    expect(await uncounted.of('db', { walk, count })).toEqual(new Map());
    sums.counted = 4_000;
    expect(Object.fromEntries(await uncounted.of('db', { walk, count }))).toEqual({ a: 5_000 });
  });

  it('stay as they were known where the walk takes too long', async () => {
    const uncounted = server({ used: 10_000, counted: 5_000 });
    const count = async () => new Map<string, number>();
    const walk = async () => {
      throw new ForewarmError('statement_timeout', 'the walk took too long');
    };
    expect(await uncounted.of('db', { walk, count })).toEqual(new Map());
    expect(
      await uncounted.of('db', { walk: () => Promise.reject(new Error('not walked again')), count }),
    ).toEqual(new Map());
  });
});
