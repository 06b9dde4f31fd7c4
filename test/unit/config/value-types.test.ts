import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  databaseUrl,
  listen,
  natsUrl,
  parseBytes,
  parseDurationMs,
  parseFraction,
  replicaValues,
  vmRules,
} from '../../../src/config/value-types.ts';

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['20s', 20_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['0s', 0],
  ])('%s', (text, ms) => expect(parseDurationMs(text)).toBe(ms));

  test.each(['', '20', 's', '-1s', '1 week', '1s2', 'NaNs'])('%j is none', (text) =>
    expect(parseDurationMs(text)).toBeUndefined(),
  );

  test('whole numbers keep their unit', () => {
    fc.assert(fc.property(fc.nat(1e6), (count) => parseDurationMs(`${count}s`) === count * 1_000));
  });
});

test('sizes are decimal or binary by their unit', () => {
  expect(parseBytes('512MB')).toBe(512_000_000);
  expect(parseBytes('1GiB')).toBe(2 ** 30);
  expect(parseBytes('8 mib')).toBe(8 * 2 ** 20);
  expect(parseBytes('100b')).toBe(100);
  for (const wrong of ['512', 'MB', '1XB', '-1MB']) expect(parseBytes(wrong)).toBeUndefined();
});

test('fractions are written either way', () => {
  expect(parseFraction('95%')).toBe(0.95);
  expect(parseFraction(0.5)).toBe(0.5);
  expect(parseFraction('1')).toBe(1);
  for (const wrong of [95, '101%', '-1', 'all']) expect(parseFraction(wrong)).toBeUndefined();
});

test('addresses to listen on', () => {
  expect(listen.schema.parse('0.0.0.0:9464')).toEqual({ host: '0.0.0.0', port: 9464 });
  expect(listen.schema.parse('[::1]:80')).toEqual({ host: '::1', port: 80 });
  expect(listen.schema.parse(9464)).toEqual({ host: '127.0.0.1', port: 9464 });
  expect(listen.schema.parse(':0')).toEqual({ host: '127.0.0.1', port: 0 });
  expect(listen.schema.safeParse('127.0.0.1:99999').success).toBe(false);
});

test('rules of VMs: addresses are checked, unknown keys refused', () => {
  const ok = (rule: object) => vmRules.schema.safeParse([rule]).success;
  expect(ok({ vm: 'app3', address: '10.0.3.0/24' })).toBe(true);
  expect(ok({ vm: 'app3', address: '2001:db8::1' })).toBe(true);
  expect(ok({ vm: 'app3', address: '10.0.3.0/33' })).toBe(false);
  expect(ok({ vm: 'app.3' })).toBe(false);
  expect(ok({ vm: 'app3', usr: 'x' })).toBe(false);
});

describe('what is printed of a URL', () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9!$/@:?=-]{8,20}$/);

  test('never has the password of a database', () => {
    fc.assert(
      fc.property(secret, (password) => {
        const shown = databaseUrl.redact!(
          `postgres://forewarm:${password}@127.0.0.1:5432/app?sslmode=require`,
        );
        expect(shown).toBe('postgres://forewarm:***@127.0.0.1:5432/app?sslmode=require');
      }),
    );
    const parameter = databaseUrl.redact!('postgres://h/app?user=x&password=hunter2&a=b');
    expect(parameter).toBe('postgres://h/app?user=x&password=***&a=b');
  });

  test('never has the token of a NATS server', () => {
    expect(natsUrl.redact!('nats://t0ken@a:4222,nats://u:p@b:4222')).toBe(
      'nats://***@a:4222,nats://***@b:4222',
    );
  });
});

test('values of replicas are lines of text under names of the operator', () => {
  const read = (value: unknown) => replicaValues.schema.safeParse(value);
  expect(read({ db1: { host: '10.0.0.11', port: 5432, tls: true }, db2: {} }).data).toEqual({
    db1: { host: '10.0.0.11', port: '5432', tls: 'true' },
    db2: {},
  });
  const fault = (value: unknown) =>
    read(value).error?.issues.map(({ path, message }) => [...path, message].join(' '));
  expect(fault({ db1: { epoch: 3 } })).toEqual([
    'db1 epoch must have another name: each route has vm, replica, epoch, at, migration itself',
  ]);
  expect(fault({ db1: { 'a-b': 3 } })).toEqual(['db1 a-b must be a name of letters, digits and _']);
  expect(fault({ db1: { host: 'a\nb' } })).toEqual(['db1 host must be one line, and not empty']);
  expect(fault({ db1: 'x' })).toEqual(['db1 must be a map such as { host: 10.0.0.11, port: 5432 }']);
  expect(replicaValues.redact?.({ db1: { password: 'hunter2' } })).toBe('values of db1');
});
