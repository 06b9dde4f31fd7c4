import { describe, expect, it } from 'vitest';
import { addObservation, type ObservedWindow } from '../../../src/attribution/profile.ts';
import { profileSchema } from '../../../src/messages/profile.ts';

const halfLifeMs = 60_000;
const start = Date.parse('2026-01-01T00:00:00Z');
const options = (atMs: number) => ({ replica: 'db1', vm: 'app1', at: new Date(start + atMs), halfLifeMs });
const window = (
  blocks: Record<string, number>,
  unexplained: ObservedWindow['unexplained'] = [],
): ObservedWindow => ({
  blocks: Object.values(blocks).reduce((sum, one) => sum + one, 0),
  splitBlocks: 0,
  relations: Object.entries(blocks).map(([name, count]) => ({
    ref: { database: 'd', schema: 's', name, kind: 'table' },
    oid: 7,
    blocks: count,
  })),
  unexplained,
});
const sharesOf = (profile: ReturnType<typeof addObservation>) =>
  Object.fromEntries(profile.relations.map((one) => [one.name, one.share]));

describe('a profile', () => {
  it('is valid on the wire, also when nothing was seen', () => {
    const empty = addObservation(null, window({}), options(0));
    expect(profileSchema.parse(empty).relations).toEqual([]);
    expect(empty.unexplained.share).toBe(0);
    const filled = addObservation(empty, window({ a: 3, b: 1 }), options(1000));
    expect(profileSchema.parse(filled)).toEqual(filled);
    expect(sharesOf(filled)).toEqual({ a: 0.75, b: 0.25 });
  });

  it('halves what it knew with every half-life', () => {
    const before = addObservation(null, window({ old: 100 }), options(0));
    const after = addObservation(before, window({ fresh: 50 }), options(halfLifeMs));
    expect(sharesOf(after)).toEqual({ old: 0.5, fresh: 0.5 });
    const later = addObservation(after, window({}), options(3 * halfLifeMs));
    expect(sharesOf(later)).toEqual({ old: 0.5, fresh: 0.5 });
    expect(later.relations[0]?.weight).toBeCloseTo(12.5);
  });

  it('does not grow when the clock went back', () => {
    const before = addObservation(null, window({ a: 100 }), options(halfLifeMs));
    expect(addObservation(before, window({}), options(0)).relations[0]?.weight).toBe(100);
  });

  it('has what is touched seldom beside much, and forgets what has faded when it does not come again', () => {
    let profile = addObservation(null, window({ big: 1_000_000, small: 10 }), options(0));
    const names = () => profile.relations.map((one) => one.name);
    profile = addObservation(profile, window({ big: 1_000_000 }), options(1));
    expect(names()).toEqual(['big', 'small']);
    for (let nth = 1; nth <= 3; nth++) {
      profile = addObservation(profile, window({ big: 1_000_000 }), options(nth * halfLifeMs));
    }
    expect(names()).toEqual(['big']);
  });

  it('keeps what it knows of a VM that does nothing', () => {
    const before = addObservation(null, window({ a: 3, b: 1 }), options(0));
    const after = addObservation(before, window({}), options(100 * halfLifeMs));
    expect(sharesOf(after)).toEqual({ a: 0.75, b: 0.25 });
  });

  it('keeps account of what was not explained, with the reason last given', () => {
    const first = window({ a: 60 }, [{ database: 'd', queryId: '1', blocks: 30, reason: 'early' }]);
    const second = window({}, [{ database: 'd', queryId: '1', blocks: 10, reason: 'late' }]);
    const profile = addObservation(addObservation(null, first, options(0)), second, options(0));
    expect(profile.unexplained).toEqual({
      weight: 40,
      share: 0.4,
      statements: [{ database: 'd', queryId: '1', weight: 40, reason: 'late' }],
    });
  });

  it('tells which part was divided by sampling', () => {
    const divided = { ...window({ a: 100 }), splitBlocks: 50 };
    const profile = addObservation(addObservation(null, divided, options(0)), window({ a: 100 }), options(0));
    expect(profile.splitShare).toBeCloseTo(0.25);
  });
});
