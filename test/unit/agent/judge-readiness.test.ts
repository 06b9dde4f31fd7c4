import { expect, test } from 'vitest';
import { judge, type ReadinessFacts } from '../../../src/agent/judge-readiness.ts';
import type { migrationStates } from '../../../src/messages/states.ts';

const at = '2030-01-01T00:00:00.000Z';
const later = '2030-01-01T00:00:05.000Z';
const routeTo = (replica: string, fields: object = {}) =>
  ({ v: 1, replica, epoch: 3, at, ...fields }) as const;
const migration = (state: (typeof migrationStates)[number], fields: object = {}) => ({
  id: 'm1',
  state,
  ...fields,
});

const facts: ReadinessFacts = {
  vm: 'app1',
  replica: 'db2',
  databaseAnswers: true,
  lagForbids: null,
  route: routeTo('db1'),
  migration: undefined,
  warm: false,
  readsHere: false,
};
const reason = (changes: Partial<ReadinessFacts>) => {
  const { ready, reason } = judge({ ...facts, ...changes });
  return `${ready ? 200 : 503} ${reason}`;
};

test('a replica is warm where the VM reads', () => {
  expect(reason({ route: routeTo('db2') })).toBe('200 route_here');
  expect(reason({ route: null, readsHere: true })).toBe('200 reads_here');
  expect(reason({ route: undefined, readsHere: true })).toBe('200 reads_here');
  expect(reason({ route: routeTo('db1'), readsHere: true })).toBe('503 no_migration');
  expect(reason({ route: null })).toBe('503 no_migration');
});

test('elsewhere a migration makes it warm, while it holds', () => {
  const ready = migration('ready', { residency: 0.97 });
  expect(reason({ migration: ready, warm: true })).toBe('200 migration_ready');
  expect(reason({ migration: ready, warm: false })).toBe('503 warming');
  for (const state of ['accepted', 'profiling', 'warming'] as const) {
    expect(reason({ migration: migration(state), warm: false })).toBe('503 warming');
  }
  for (const state of ['aborted', 'expired', 'failed', 'rejected'] as const) {
    expect(reason({ migration: migration(state), warm: true })).toBe('503 warming');
  }
});

test('a VM that has arrived reads here, until its route leads on', () => {
  const arrived = migration('arrived', { arrivedAt: at });
  expect(reason({ migration: arrived })).toBe('200 migration_arrived');
  expect(reason({ migration: arrived, route: routeTo('db3', { at: later }) })).toBe('503 no_migration');
});

test('no warmth makes up for lag or a database that does not answer', () => {
  const here = { route: routeTo('db2'), migration: migration('ready'), warm: true };
  expect(reason({ ...here, lagForbids: 'behind' })).toBe('503 lag');
  expect(reason({ ...here, databaseAnswers: false, lagForbids: 'behind' })).toBe('503 database_unreachable');
});
