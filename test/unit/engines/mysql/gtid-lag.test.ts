import { describe, expect, it } from 'vitest';
import { GtidLag, includes } from '../../../../src/engines/mysql/gtid-lag.ts';

describe('positions of MariaDB', () => {
  it.each([
    ['0-1-100', '0-1-100', true],
    ['0-1-99', '0-2-100', false],
    ['0-1-18446744073709551615', '0-1-18446744073709551614', true],
    ['0-1-5,2-1-7', '2-3-7,0-1-4', true],
    ['0-1-5', '0-1-5,1-1-1', false],
    ['', '', true],
    ['', '0-1-1', false],
  ])('%s has %s: %s', (applied, received, expected) => {
    expect(includes(applied, received)).toBe(expected);
  });
});

describe('lag by positions', () => {
  it('is the age of the oldest position that came in and is not applied', () => {
    const lag = new GtidLag();
    expect(lag.lookMs('0-1-10', '0-1-10', 0)).toBe(0);
    expect(lag.lookMs('0-1-12', '0-1-10', 1_000)).toBe(0);
    expect(lag.lookMs('0-1-20', '0-1-11', 3_000)).toBe(2_000);
    expect(lag.lookMs('0-1-30', '0-1-12', 4_000)).toBe(1_000);
    expect(lag.lookMs('0-1-30', '0-1-30', 5_000)).toBe(0);
  });

  it('stays small under a stream that is followed, however long it goes on', () => {
    const lag = new GtidLag();
    for (let at = 1; at < 1_000; at++) {
      expect(lag.lookMs(`0-1-${at * 10}`, `0-1-${at * 10 - 12}`, at * 500)).toBeLessThanOrEqual(1_000);
    }
  });

  it('remembers the oldest of any number', () => {
    const lag = new GtidLag();
    for (let at = 1; at < 1_000; at++) lag.lookMs(`0-1-${at}`, '0-1-0', at * 500);
    expect(lag.lookMs('0-1-1000', '0-1-0', 600_000)).toBe(599_500);
  });
});
