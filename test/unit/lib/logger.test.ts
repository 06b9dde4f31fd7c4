import { prettyFactory } from 'pino-pretty';
import { expect, test } from 'vitest';
import { terminalLines, withoutSecrets } from '../../../src/lib/logger.ts';

const fields = { level: 30, time: 0, pid: 1, hostname: 'h', replica: 'db2', migration: 'm1', vm: 'app1' };
const line = (more: object) => prettyFactory({ ...terminalLines, colorize: false })({ ...fields, ...more });

test('a line for a terminal is one line: whose it is, what happened, and the other fields', () => {
  const text = line({ msg: 'migration is ready', state: 'ready' });
  expect(text.trimEnd().split('\n')).toHaveLength(1);
  expect(text).toContain('INFO: db2 m1 app1 migration is ready {"state":"ready"}');
});

test('fields that are not there leave no gap', () => {
  expect(line({ migration: undefined, vm: undefined, msg: 'the agent runs' })).toContain(
    'INFO: db2 the agent runs',
  );
});

test.each([
  ['postgres://forewarm:s3cret@10.0.0.1:5432/app', 'postgres://[secret]@10.0.0.1:5432/app'],
  ['nats://s3cret@10.0.0.5:4222,nats://a:s3cret@b', 'nats://[secret]@10.0.0.5:4222,nats://[secret]@b'],
  ['{"error":"of \\"mysql://u:s3cret@h/app\\""}', '{"error":"of \\"mysql://[secret]@h/app\\""}'],
])('user and password of a URL are taken out: %s', (before, after) => {
  expect(withoutSecrets(before)).toBe(after);
});

test('other texts stay as they are', () => {
  const text = '{"msg":"mail root@host, see https://example.org/a@b"}';
  expect(withoutSecrets(text)).toBe(text);
});
