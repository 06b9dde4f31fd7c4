import { describe, expect, it } from 'vitest';
import { indexNameOf, refOf, splitStoredName } from '../../../../src/engines/mysql/names.ts';
import { versionOf } from '../../../../src/engines/mysql/versions.ts';
import { statementsOf } from '../../../../src/lab/mysql-script.ts';

describe('names of indexes on the wire', () => {
  it.each([
    [{ database: 'shop', table: 'orders', partition: undefined, index: undefined }, 'orders'],
    [{ database: 'shop', table: 'orders', partition: undefined, index: 'by.day' }, 'orders.by.day'],
    [{ database: 'shop', table: 'a.b', partition: 'p0', index: 'c' }, 'a.b#p#p0.c'],
    [{ database: 'sh.op', table: 'größe', partition: 'p1', index: undefined }, 'größe#p#p1'],
    [
      { database: 'shop', table: 'docs', partition: 'p0', index: undefined, overflow: true },
      'docs#p#p0#overflow',
    ],
  ] as const)('lead back to %o', (name, written) => {
    const ref = refOf(name);
    expect(ref.name).toBe(written);
    expect(indexNameOf(ref)).toEqual(name);
  });

  it('that do not fit each other are none', () => {
    const ref = { database: 'shop', name: 'orders.i', kind: 'index' } as const;
    expect(indexNameOf(ref)).toBeUndefined();
    expect(indexNameOf({ ...ref, parent: 'other.orders' })).toBeUndefined();
    expect(indexNameOf({ ...ref, parent: 'shop.order' })).toBeUndefined();
    expect(indexNameOf({ ...ref, kind: 'toast' })).toBeUndefined();
  });

  it('are found in the names of files', () => {
    expect(splitStoredName('orders')).toEqual({ table: 'orders', partition: undefined });
    expect(splitStoredName('orders#P#p0')).toEqual({ table: 'orders', partition: 'p0' });
    expect(splitStoredName('orders#p#p0#sp#p0sp1')).toEqual({ table: 'orders', partition: 'p0sp1' });
  });
});

describe('the version of a server', () => {
  it.each([
    ['10.11.18-MariaDB-0+deb12u1-log', 'mariadb', '10.11.18'],
    ['5.5.5-10.6.4-MariaDB', 'mariadb', '10.6.4'],
    ['11.8.2-MariaDB', 'mariadb', '11.8.2'],
    ['8.0.42', 'mysql', '8.0.42'],
    ['9.7.4-2', 'mysql', '9.7.4'],
  ])('%s is of %s %s', (text, kind, version) => {
    expect(versionOf(text)).toMatchObject({ dialect: { kind }, version });
  });

  it.each(['10.5.29-MariaDB', '8.0.21', '5.7.44', '5.5.5-10.3.39-MariaDB', ''])('%j is too old', (text) => {
    expect(() => versionOf(text)).toThrow(/it runs/);
  });
});

it('a script is divided as the command-line client does', () => {
  const script =
    "-- a\nSELECT 1;\nSELECT ';',\n  2;\nDELIMITER //\nBEGIN\n  SELECT 3;\nEND//\nDELIMITER ;\nSELECT 4;\n";
  expect(statementsOf(script)).toEqual([
    'SELECT 1',
    "SELECT ';',\n  2",
    'BEGIN\n  SELECT 3;\nEND',
    'SELECT 4',
  ]);
});
