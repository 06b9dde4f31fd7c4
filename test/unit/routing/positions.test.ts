import { describe, expect, test } from 'vitest';
import { covers, parseGtidPosition, withoutServer } from '../../../src/routing/mysql/position.ts';
import { endOfRecord, parseLsn } from '../../../src/routing/postgres/position.ts';

describe('PostgreSQL', () => {
  test('positions are read as the server writes them', () => {
    expect(parseLsn('0/0')).toBe(0n);
    expect(parseLsn('16/B374D848')).toBe(0x16b374d848n);
    expect(parseLsn('FFFFFFFF/FFFFFFFF')).toBe(0xffffffffffffffffn);
    expect(parseLsn('1/00000000')).toBeGreaterThan(parseLsn('0/FFFFFFFF'));
    expect(() => parseLsn('16-B374D848')).toThrow(/not a position/);
  });

  test.each([
    ['behind a page header: the record before it ended at the page', 0x3000018n, 0x3000000n],
    ["behind a segment's long header", 0x4000028n, 0x4000000n],
    ['within a page', 0x3000020n, 0x3000020n],
    ['at the end of a page', 0x3001ff8n, 0x3001ff8n],
  ])('an insert position %s', (_, insert, end) => {
    expect(endOfRecord(insert, 8192)).toBe(end);
  });
});

describe('MariaDB', () => {
  test('a position covers another one by domain', () => {
    const shown = parseGtidPosition('0-1-100,2-3-7');
    expect(covers(shown, parseGtidPosition('0-9-100'))).toBe(true);
    expect(covers(shown, parseGtidPosition('0-1-99,2-1-7'))).toBe(true);
    expect(covers(shown, parseGtidPosition('0-1-101'))).toBe(false);
    expect(covers(shown, parseGtidPosition('1-1-1'))).toBe(false);
    expect(covers(shown, parseGtidPosition(''))).toBe(true);
  });

  test('of several servers in one domain the furthest counts', () => {
    expect(parseGtidPosition('0-1-5, 0-2-9').get('0')).toBe(9n);
    expect(() => parseGtidPosition('0-1')).toThrow(/not a GTID/);
  });
});

test("MySQL: a read-only server's own transactions are left out", () => {
  const own = '3E11FA47-71CA-11E1-9E33-C80AA9429562';
  const other = '4e11fa47-71ca-11e1-9e33-c80aa9429562';
  expect(withoutServer(`${own.toLowerCase()}:1-5:7,\n${other}:1-9`, own)).toBe(`${other}:1-9`);
  expect(withoutServer('', own)).toBe('');
});
