import { describe, expect, it } from 'vitest';
import { pagesIn } from '../../../../src/engines/mysql/stored-indexes.ts';

describe('the size of an index by stored statistics', () => {
  it.each([
    { aside: 1, leaves: 1, pages: 1 },
    // As MariaDB has them of indexes of 12 to 33 pages: all that is set aside but the root.
    { aside: 12, leaves: 1, pages: 11 },
    { aside: 33, leaves: 1, pages: 32 },
    { aside: 33, leaves: 32, pages: 32 },
    // Counted before it grew by an extent of 64, of which any part may be in use.
    { aside: 97, leaves: 1, pages: 65 },
    { aside: 97, leaves: 80, pages: 80 },
    { aside: 10_000, leaves: 9_500, pages: 9_500 },
    { aside: 10_000, leaves: 100, pages: 2_500 },
  ])('is $pages pages of $aside set aside with $leaves leaves counted', ({ pages, ...counted }) => {
    expect(pagesIn(counted)).toBe(pages);
  });
});
