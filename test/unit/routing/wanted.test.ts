import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { switchSettings } from '../../../src/routing/options.ts';
import { type Notice, Report } from '../../../src/routing/report.ts';
import { Wanted } from '../../../src/routing/wanted.ts';

function follow() {
  const emitter = new EventEmitter();
  const notices: string[] = [];
  emitter.on('notice', ({ kind }: Notice) => notices.push(kind));
  const report = new Report(emitter);
  const options = { vm: 'app1', nats: 'nats://unused', defaultReplica: 'db1' };
  const settings = switchSettings(options, { db1: {}, db2: {} });
  const changes: string[] = [];
  const wanted = new Wanted(settings, report, {
    changed: () => changes.push(`${wanted.replica} ${wanted.epoch}`),
    whereItIs: () => 'db1',
  });
  const tell = (replica: string, epoch: number, at = '2026-01-01T00:00:00.000Z') =>
    wanted.listener.route({ v: 1, replica, epoch, at });
  return { wanted, report, notices, changes, tell };
}

test('epochs only rise, and a route that is told again changes nothing', () => {
  const { wanted, changes, tell } = follow();
  tell('db2', 3);
  tell('db2', 3);
  tell('db1', 2);
  tell('db1', 3);
  tell('db2', 4);
  expect(changes).toEqual(['db2 3', 'db2 4']);
  expect(wanted).toMatchObject({ replica: 'db2', epoch: 4, isKnown: true });
});

test('a route that is ignored is said once, however often it is told', () => {
  const { report, notices, tell } = follow();
  tell('db2', 3);
  for (let times = 0; times < 3; times++) tell('db1', 2);
  expect(notices).toEqual(['epoch ignored']);
  tell('db1', 2, '2026-01-02T00:00:00.000Z');
  expect(report.counters.epochsIgnored).toBe(2);
});

test('an outage of NATS is said once, and its end', () => {
  const { wanted, report, notices, tell } = follow();
  tell('db2', 1);
  wanted.listener.lost(new Error('away'));
  wanted.listener.lost(new Error('away'));
  wanted.listener.current();
  wanted.listener.current();
  expect(notices).toEqual(['nats lost', 'nats back']);
  expect(report.counters.natsLost).toBe(1);
  expect(wanted.replica).toBe('db2');
});
