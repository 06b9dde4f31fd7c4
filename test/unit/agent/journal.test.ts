import { expect, test } from 'vitest';
import { Journal } from '../../../src/agent/journal.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import { ForewarmError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { MigrationEvent } from '../../../src/messages/event.ts';
import type { MigrationRecord } from '../../../src/messages/record.ts';

/** A mock of NATS: what it was sent, and what it stored; the sends of `failing` fail the first time. */
class Store {
  readonly sent: string[] = [];
  readonly stored: string[] = [];
  readonly failing = new Set<string>();

  get broker(): Broker {
    const take = async (what: string) => {
      this.sent.push(what);
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (this.failing.delete(what)) throw new ForewarmError('broker_unreachable', 'it is away');
      this.stored.push(what);
    };
    return {
      records: {
        put: (_: string, { state, residency = 0 }: MigrationRecord) => take(`record ${state} ${residency}`),
      },
      events: {
        publish: ({ state, progress }: MigrationEvent) => take(`event ${progress ? 'progress' : state}`),
      },
    } as unknown as Broker;
  }
}

const record = (state: MigrationRecord['state'], residency?: number) =>
  ({ id: 'm', state, ...(residency === undefined ? {} : { residency }) }) as MigrationRecord;
const event = (state: MigrationEvent['state'], more: Partial<MigrationEvent> = {}) =>
  ({ id: 'm', state, ...more }) as MigrationEvent;
const journalOf = (store: Store) => new Journal(store.broker, silentLogger, new AbortController().signal);

test('a record goes before the steps that it tells of, the newest alone, and steps go in their order', async () => {
  const store = new Store();
  const journal = journalOf(store);
  journal.step(event('accepted'), 'a');
  await Promise.resolve();
  journal.save(record('profiling'));
  journal.step(event('profiling'), 'b');
  journal.save(record('warming'));
  journal.step(event('warming'), 'c');
  journal.progress(event('warming', { progress: {} as never }));
  expect(journal.backlog).toBe(4);
  await journal.flush();
  expect(store.stored).toEqual([
    'event accepted',
    'record warming 0',
    'event profiling',
    'event warming',
    'event progress',
  ]);
  expect(journal.backlog).toBe(0);
});

test('what cannot be written holds back what follows it, and is written again', async () => {
  const store = new Store();
  store.failing.add('event profiling');
  const journal = journalOf(store);
  for (const state of ['accepted', 'profiling', 'ready'] as const) journal.step(event(state), state);
  await journal.flush();
  expect(store.stored).toEqual(['event accepted', 'event profiling', 'event ready']);
});

test('figures alone wait for the next change of state, or for a moment, and are not lost at the end', async () => {
  const store = new Store();
  const journal = journalOf(store);
  journal.saveSoon(record('warming', 0.1));
  journal.saveSoon(record('warming', 0.2));
  expect(store.sent).toEqual([]);
  journal.save(record('ready', 0.2));
  journal.step(event('ready'), 'r');
  journal.saveSoon(record('ready', 0.25));
  await expect.poll(() => store.stored.length).toBe(2);
  expect(store.stored).toEqual(['record ready 0.2', 'event ready']);
  journal.saveSoon(record('ready', 0.3));
  journal.step(event('ready', { reason: 'a remark' }), 'q');
  await expect.poll(() => store.stored.length, { timeout: 5_000 }).toBe(4);
  expect(store.stored.slice(2)).toEqual(['event ready', 'record ready 0.3']);
  journal.saveSoon(record('ready', 0.4));
  await journal.flush();
  expect(store.stored.slice(4)).toEqual(['record ready 0.4']);
});
