import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MigrationEvent } from '../../../src/messages/event.ts';
import type { MigrationRecord } from '../../../src/messages/record.ts';
import { type MigrationState, migrationStates } from '../../../src/messages/states.ts';
import { MigrationWaiter } from '../../../src/publisher/migration-waiter.ts';

const at = '2026-01-01T00:00:00.000Z';
const record = (state: MigrationState, more: Partial<MigrationRecord> = {}): MigrationRecord => ({
  ...{ v: 1, id: 'm', vm: 'app1', target: 'db2', state, deadline: at, issuedAt: at },
  ...more,
});
const event = (state: MigrationState, more: Partial<MigrationEvent> = {}): MigrationEvent => ({
  ...{ v: 1, id: 'm', state, at },
  ...more,
});

describe('verdict', () => {
  test('waits until the deadline, then goes on, without having seen anything', () => {
    const waiter = new MigrationWaiter(100);
    expect(waiter.verdict(99)).toEqual({ kind: 'waiting' });
    expect(waiter.verdict(100)).toEqual({ kind: 'deadline' });
  });

  test.each(['accepted', 'profiling', 'warming'] as const)('%s waits', (state) => {
    const waiter = new MigrationWaiter(100);
    waiter.seeRecord(record(state));
    expect(waiter.verdict(0).kind).toBe('waiting');
    expect(waiter.verdict(100).kind).toBe('deadline');
  });

  test('ready wins over a deadline that is there as well', () => {
    const waiter = new MigrationWaiter(100);
    waiter.seeEvent(event('ready'));
    expect(waiter.verdict(100).kind).toBe('ready');
  });

  test.each(['arrived', 'completed'] as const)('%s is an arrival', (state) => {
    const waiter = new MigrationWaiter(100);
    waiter.seeRecord(record(state));
    expect(waiter.verdict(0).kind).toBe('arrived');
  });

  test('an end tells its code and reason, from record or event', () => {
    const failed = new MigrationWaiter(100);
    failed.seeRecord(record('failed', { error: { code: 'warming_failed', message: 'disk' } }));
    expect(failed.verdict(0)).toEqual({
      kind: 'ended',
      state: 'failed',
      code: 'warming_failed',
      reason: 'disk',
    });
    const rejected = new MigrationWaiter(100);
    rejected.seeEvent(event('rejected', { code: 'same_replica', reason: 'both are db2' }));
    expect(rejected.verdict(0)).toEqual({
      ...{ kind: 'ended', state: 'rejected' },
      ...{ code: 'same_replica', reason: 'both are db2' },
    });
  });

  test('is never taken back by what comes late or out of order', () => {
    const order: readonly MigrationState[] = ['accepted', 'profiling', 'warming', 'ready', 'arrived'];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...migrationStates), { maxLength: 12 }),
        fc.boolean(),
        (states, events) => {
          const waiter = new MigrationWaiter(100);
          for (const state of states)
            events ? waiter.seeEvent(event(state)) : waiter.seeRecord(record(state));
          const end = states.find((state) => !order.includes(state));
          const furthest = Math.max(-1, ...states.map((state) => order.indexOf(state)));
          expect(waiter.progress().state).toBe(end ?? order[furthest]);
        },
      ),
    );
  });
});

describe('progress', () => {
  const plan = { blocks: 100, bytes: 819_200, skippedBlocks: 0 };

  test('follows the record', () => {
    const waiter = new MigrationWaiter(100);
    waiter.seeRecord(
      record('warming', { plan, warmed: { blocks: 25, bytesRead: 300_000, ms: 1, rounds: 1 } }),
    );
    expect(waiter.progress()).toMatchObject({ blocksDone: 25, blocksTotal: 100, bytesDone: 204_800 });
  });

  test('takes the further of record and event, and never runs over its total', () => {
    const waiter = new MigrationWaiter(100);
    waiter.seeRecord(record('warming', { plan, warmed: { blocks: 25, bytesRead: 1, ms: 1, rounds: 1 } }));
    const progress = { blocksDone: 50, blocksTotal: 100, bytesDone: 409_600, bytesTotal: 819_200 };
    waiter.seeEvent(event('warming', { progress }));
    expect(waiter.progress()).toMatchObject({ blocksDone: 50, bytesDone: 409_600 });
    waiter.seeRecord(record('ready', { plan, warmed: { blocks: 140, bytesRead: 1, ms: 1, rounds: 3 } }));
    expect(waiter.progress()).toMatchObject({ blocksDone: 100, bytesDone: 819_200, state: 'ready' });
  });

  test('does not go back where a further round finds less', () => {
    const waiter = new MigrationWaiter(100);
    const seen = [
      [50, 100],
      [20, 80],
      [20, 40],
      [60, 60],
    ].map(([blocksDone = 0, blocksTotal = 0]) => {
      const progress = {
        blocksDone,
        blocksTotal,
        bytesDone: 8_192 * blocksDone,
        bytesTotal: 8_192 * blocksTotal,
      };
      waiter.seeEvent(event('warming', { progress }));
      const told = waiter.progress();
      return [told.blocksDone, told.blocksTotal, told.bytesDone / 8_192, told.bytesTotal / 8_192];
    });
    expect(seen).toEqual([
      [50, 100, 50, 100],
      [50, 80, 50, 80],
      [50, 50, 50, 50],
      [60, 60, 60, 60],
    ]);
  });
});
