import { describe, expect, it } from 'vitest';
import { quotedName } from '../../../../src/engines/mysql/cached-pages.ts';
import { interpolate } from '../../../../src/engines/mysql/key-values.ts';

describe('a UUID between two others', () => {
  it('lies between them by the last group first, and keeps version and variant', () => {
    const low = '11111111-2222-4333-8444-100000000000';
    const high = '00000000-0000-4000-8000-f00000000000';
    expect(interpolate('uuid', low, high, 0.5)).toBe('11111111-2222-4333-8444-800000000000');
  });

  it('lies between them as they are written from version 7 on', () => {
    const low = '01900000-0000-7000-8000-000000000000';
    const high = '01910000-0000-7fff-8000-000000000000';
    expect(interpolate('uuid', low, high, 0.5)).toBe('01908000-0000-7000-8000-000000000000');
  });

  it('is none between one of each kind', () => {
    const [low, high] = ['01900000-0000-4000-8000-000000000000', '01910000-0000-7fff-8000-000000000000'];
    expect(interpolate('uuid', low, high, 0.5)).toBeUndefined();
  });
});

describe("a table's name in the view of the pool", () => {
  it.each([
    ['`shop`.`orders`', { table: 'orders', partition: undefined }],
    ['`sh``op`.`or``ders`', { table: 'or`ders', partition: undefined }],
    ['`shop`.`orders` /* Partition `p0` */', { table: 'orders', partition: 'p0' }],
    ['`shop`.`orders` /* Partition `p0`, Subpartition `p0s``1` */', { table: 'orders', partition: 'p0s`1' }],
  ])('%s', (text, name) => {
    expect(quotedName(text)).toEqual(name);
  });
});
