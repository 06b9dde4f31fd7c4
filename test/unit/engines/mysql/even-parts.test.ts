import { describe, expect, test } from 'vitest';
import { EvenParts } from '../../../../src/engines/mysql/even-parts.ts';
import { type HotPart, means } from '../../../../src/engines/mysql/hot-part.ts';
import type { StoredIndex } from '../../../../src/engines/mysql/stored-indexes.ts';
import { blockCount, singleRange } from '../../../../src/planning/block-ranges.ts';

const partition = (name: string, more: Partial<StoredIndex> = {}): StoredIndex => ({
  ...{ database: 'app', table: 'metrics', partition: name, index: undefined, keyName: 'PRIMARY' },
  ...{ columns: [], pages: 400, rows: 1, longColumns: [], evenPartOf: 'metrics/' },
  ...more,
});
const probed: HotPart = { ranges: singleRange(0, 100, 1), means: means.probed };
const newest: HotPart = { ranges: singleRange(300, 100, 1), means: means.newest };

describe('partitions by hash', () => {
  test('one that was asked tells of another, in its size, and of the same index alone', () => {
    const parts = new EvenParts();
    parts.add(partition('p0'), { part: probed, held: 0.25, size: 400 });
    expect(blockCount(parts.partOf(partition('p1'), 0.3, 800)!.ranges)).toBe(200);
    expect(parts.partOf(partition('p1', { index: 'by_time' }), 0.3, 400)).toBeUndefined();
    expect(parts.partOf(partition('p1', { database: 'other' }), 0.3, 400)).toBeUndefined();
    expect(parts.partOf(partition('p1', { evenPartOf: 'metrics/older' }), 0.3, 400)).toBeUndefined();
  });

  test('one of which much more or less is held is asked itself, as are those by ranges', () => {
    const parts = new EvenParts();
    parts.add(partition('p0'), { part: probed, held: 0.2, size: 400 });
    for (const held of [0.05, 0.4]) expect(parts.partOf(partition('p1'), held, 400)).toBeUndefined();
    const { evenPartOf: _, ...byRange } = partition('p1');
    parts.add(byRange, { part: probed, held: 0.2, size: 400 });
    expect(parts.partOf(byRange, 0.2, 400)).toBeUndefined();
  });

  test('where nothing stood out in one, others are asked, three at most', () => {
    const parts = new EvenParts();
    for (const name of ['p0', 'p1', 'p2']) {
      expect(parts.partOf(partition(name), 0.25, 400)).toBeUndefined();
      parts.add(partition(name), { part: newest, held: 0.25, size: 400 });
    }
    expect(parts.partOf(partition('p3'), 0.25, 400)?.means).toBe(means.newest);
    parts.add(partition('p4'), { part: probed, held: 0.25, size: 400 });
    expect(parts.partOf(partition('p5'), 0.25, 400)?.means).toBe(means.probed);
  });
});
