import { describe, expect, it } from 'vitest';
import { isNews } from '../../../src/attribution/profile-news.ts';
import type { Profile } from '../../../src/messages/profile.ts';

function profile(shares: Readonly<Record<string, number>>, atMs = 0, unexplained = 0): Profile {
  return {
    v: 1,
    replica: 'db1',
    vm: 'app1',
    at: new Date(1_700_000_000_000 + atMs).toISOString(),
    halfLifeMs: 600_000,
    relations: Object.entries(shares).map(([name, share]) => ({
      ...{ database: 'app', schema: 'public', name, kind: 'table' },
      ...{ weight: share * 1_000, share },
    })),
    unexplained: { weight: 0, share: unexplained, statements: [] },
  };
}

const renewalMs = 60_000;
const before = profile({ a: 0.6, b: 0.4 });

describe('news of a profile', () => {
  it.each([
    ['the first', undefined, before, true],
    ['the same one', before, before, false],
    ['the same shares a little later', before, profile({ a: 0.6, b: 0.4 }, 10_000), false],
    ['the same shares after a renewal', before, profile({ a: 0.6, b: 0.4 }, renewalMs), true],
    ['a clock that went back', before, profile({ a: 0.6, b: 0.4 }, -1), true],
    ['a hundredth that moved', before, profile({ a: 0.61, b: 0.39 }, 10_000), false],
    ['a twentieth that moved', before, profile({ a: 0.65, b: 0.35 }, 10_000), true],
    ['a new relation', before, profile({ a: 0.6, b: 0.37, c: 0.03 }, 10_000), true],
    ['a relation that is gone', before, profile({ a: 1 }, 10_000), true],
    ['a part that nothing explains any more', before, profile({ a: 0.6, b: 0.4 }, 10_000, 0.1), true],
  ])('%s', (_, published, now, news) => {
    expect(isNews(published, now, renewalMs)).toBe(news);
  });

  it('is told once of shares that creep', () => {
    let published = before;
    let told = 0;
    for (let step = 1; step <= 10; step++) {
      const now = profile({ a: 0.6 - step * 0.005, b: 0.4 + step * 0.005 }, step * 1_000);
      if (!isNews(published, now, renewalMs)) continue;
      published = now;
      told += 1;
    }
    expect(told).toBe(2);
  });
});
