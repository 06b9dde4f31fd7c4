import { readFileSync } from 'node:fs';
import { innodbPageBytes } from '../../lab/mysql-app-data.ts';
import type { IndexPage } from './index-pages.ts';

/** Offsets within a page, and what stands there, by InnoDB's fil0types.h and page0types.h. */
const at = { previous: 8, next: 12, type: 24, records: 54, level: 64, index: 66 } as const;
const indexPage = 17_855;
const noPage = 0xffffffff;

/**
 * Every page of the only index in a table's own file, its leaves in the order of their keys. The server must have
 * written all to the file, and nobody may write to the table.
 */
export function innodbPagesOf(file: string): readonly IndexPage[] {
  const bytes = readFileSync(file);
  const pages = Array.from({ length: Math.floor(bytes.length / innodbPageBytes) }, (_, block) => {
    const page = bytes.subarray(block * innodbPageBytes, (block + 1) * innodbPageBytes);
    return {
      ...{ block, isIndex: page.readUInt16BE(at.type) === indexPage, index: page.readBigUInt64BE(at.index) },
      ...{ previous: page.readUInt32BE(at.previous), next: page.readUInt32BE(at.next) },
      ...{ level: page.readUInt16BE(at.level), ids: page.readUInt16BE(at.records) },
    };
  });
  // Its root comes before its other pages, and a page that was freed keeps what it was.
  const root = pages.find(({ isIndex }) => isIndex);
  const own = pages.filter(({ isIndex, index }) => isIndex && index === root?.index);
  const leaves: IndexPage[] = [];
  let leaf = own.find(({ level, previous }) => level === 0 && previous === noPage);
  for (; leaf !== undefined; leaf = leaf.next === noPage ? undefined : pages[leaf.next]) {
    leaves.push({ block: leaf.block, leaf: true, ids: leaf.ids });
  }
  const above = own.filter(({ level }) => level > 0).map(({ block }) => ({ block, leaf: false, ids: 0 }));
  return [...above, ...leaves];
}
