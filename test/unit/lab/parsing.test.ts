import { describe, expect, test } from 'vitest';
import { parseBlkioCounter, parseIoStat } from '../../../src/lab/disk-profiles.ts';
import { sumOfLines } from '../../../src/lab/os-cache.ts';
import { newestOfMajor } from '../../../src/lab/postgres-binaries.ts';
import { renderSettings } from '../../../src/lab/postgres-server.ts';
import { slotName } from '../../../src/lab/postgres-standby.ts';
import { parseProcessStat } from '../../../src/lab/process-table.ts';
import { memoryUse } from '../../../src/lib/memory-use.ts';

describe('control group counters', () => {
  const blkio = '254:0 Read 4096\n254:0 Write 8192\n254:0 Total 12288\n7:0 Read 5\nTotal 12293\n';

  test('version 1 gives the reads of that device alone', () => {
    expect(parseBlkioCounter(blkio, '254:0')).toBe(4096);
    expect(parseBlkioCounter(blkio, '7:0')).toBe(5);
    expect(parseBlkioCounter(blkio, '8:0')).toBe(0);
    expect(parseBlkioCounter('', '8:0')).toBe(0);
  });

  test('version 2 likewise, and does not take 8:0 for 8:01', () => {
    const stat =
      '8:01 rbytes=1 wbytes=2 rios=3 wios=4\n8:0 rbytes=90112 wbytes=0 rios=11 wios=0 dbytes=0 dios=0\n';
    expect(parseIoStat(stat, '8:0')).toEqual({ bytes: 90112, operations: 11 });
    expect(parseIoStat(stat, '9:0')).toEqual({ bytes: 0, operations: 0 });
  });
});

describe('what a group holds of memory', () => {
  test('is told alike by both versions: shared memory is no page cache, though the kernel counts it so', () => {
    const version1 = 'cache 3000\nrss 500\nshmem 1000\nmapped_file 10\n';
    const version2 = 'anon 500\nfile 3000\nkernel 20\nshmem 1000\nfile_mapped 10\n';
    for (const stat of [version1, version2])
      expect(memoryUse(stat, 3_700)).toEqual({ pageCacheBytes: 2_000, otherBytes: 1_700 });
  });
});

test('a process line with blanks and brackets in the command', () => {
  const fields = Array.from({ length: 18 }, (_, index) => `${index}`).join(' ');
  expect(parseProcessStat(`42 (a) b (c)) S 7 ${fields.slice(0, -3)} 4711 0`)).toMatchObject({
    state: 'S',
    parentPid: 7,
  });
  expect(parseProcessStat('42 (cut')).toBeUndefined();
});

test('the newest minor release of a major, by number', () => {
  const versions = [
    '17.9.0-beta.17',
    '17.10.0-beta.16',
    '17.10.0-beta.17',
    '17.2.0-beta.15',
    '18.4.0-beta.17',
    '1.7.0',
  ];
  expect(newestOfMajor(versions, 17)).toBe('17.10.0-beta.17');
  expect(newestOfMajor(versions, 18)).toBe('18.4.0-beta.17');
  expect(newestOfMajor(versions, 14)).toBeUndefined();
});

test('settings are quoted as postgresql.conf wants', () => {
  expect(renderSettings({ fsync: false, jit: true, port: 5432, application_name: "it's" })).toBe(
    "fsync = off\njit = on\nport = 5432\napplication_name = 'it''s'\n",
  );
});

test('slot names keep to what PostgreSQL allows', () => {
  expect(slotName('DB-2')).toBe('lab_db_2');
});

test('resident bytes are summed over lines with blanks', () => {
  expect(sumOfLines('  4096\n 0\n8192\n\n')).toBe(12288);
  expect(sumOfLines('')).toBe(0);
});
