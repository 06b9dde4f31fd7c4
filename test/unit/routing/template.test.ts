import { expect, test } from 'vitest';
import { factsOf } from '../../../src/routing/outputs/output.ts';
import { Template } from '../../../src/routing/outputs/template.ts';

const replicas = { db1: { host: '10.0.0.11', port: '5432' }, db2: { host: '10.0.0.12' } };
const route = { v: 1, replica: 'db1', epoch: 7, at: '2030-01-01T00:00:00.000Z' } as const;
const render = (text: string, replica = 'db1') =>
  new Template(text).render(factsOf('app1', { ...route, replica }, replicas));

test('fills in what the route and the operator say', () => {
  expect(render('{vm} {replica} {epoch} {at} {host}:{port}')).toBe(
    'app1 db1 7 2030-01-01T00:00:00.000Z 10.0.0.11:5432\n',
  );
  expect(render('m={migration}\\nh={host}\\n')).toBe('m=\nh=10.0.0.11\n');
  expect(render('{{"replica":"{replica}"}} \\\\n \\x')).toBe('{"replica":"db1"} \\n \\x\n');
});

test('names what has no value', () => {
  new Template('{replica} {host}').check(replicas);
  expect(() => new Template('{port}').check(replicas)).toThrow('{port} has no value for db2');
  expect(() => new Template('{host}').check({})).toThrow('{host} has no value for any replica');
  expect(() => render('{port}', 'db2')).toThrow('replica db2 has no value port');
  expect(() => render('{host}', 'db9')).toThrow('replica db9 has no value host');
});

test('refuses a lone brace', () => {
  for (const text of ['{', 'a}b', '{a b}', '{{{']) expect(() => new Template(text)).toThrow('a lone');
});
