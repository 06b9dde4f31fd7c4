import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { touchedPages } from '../../../src/bench/rivals/index-pages.ts';
import { innodbPagesOf } from '../../../src/bench/rivals/innodb-pages.ts';

const folder = mkdtempSync(join(tmpdir(), 'forewarm-innodb-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const none = 0xffffffff;

interface Page {
  readonly type?: number;
  readonly index?: number;
  readonly level?: number;
  readonly previous?: number;
  readonly next?: number;
  readonly records?: number;
}

/** A mock of a table's file: page headers alone, as InnoDB writes them. */
function fileOf(pages: readonly Page[]): string {
  const bytes = Buffer.alloc(pages.length * 16_384);
  pages.forEach((page, number) => {
    const { type = 17_855, index = 7, level = 0, previous = none, next = none, records = 0 } = page;
    const header = bytes.subarray(number * 16_384);
    header.writeUInt32BE(previous, 8);
    header.writeUInt32BE(next, 12);
    header.writeUInt16BE(type, 24);
    header.writeUInt16BE(records, 54);
    header.writeUInt16BE(level, 64);
    header.writeBigUInt64BE(BigInt(index), 66);
  });
  const file = join(folder, 'table.ibd');
  writeFileSync(file, bytes);
  return file;
}

test('leaves come in the order of their keys, wherever they lie; other pages and indexes are left out', () => {
  const file = fileOf([
    { type: 8 },
    { type: 5 },
    { type: 3 },
    // MySQL's own, of the table's description.
    { type: 17_853, index: 1 },
    { level: 1, records: 3 },
    { previous: 7, next: none, records: 10 },
    { index: 9, records: 50 },
    { previous: 8, next: 5, records: 69 },
    { next: 7, records: 60 },
  ]);
  const pages = innodbPagesOf(file);
  expect(pages).toEqual([
    { block: 4, leaf: false, ids: 0 },
    { block: 8, leaf: true, ids: 60 },
    { block: 7, leaf: true, ids: 69 },
    { block: 5, leaf: true, ids: 10 },
  ]);
  // Rows 1 to 34 lie in the first leaf, 35 to 68 in the first two.
  expect([...touchedPages(pages, [0])]).toEqual([4, 8]);
  expect([...touchedPages(pages, [1])]).toEqual([4, 8, 7]);
  expect([...touchedPages(pages, [3])]).toEqual([4, 7, 5]);
});
