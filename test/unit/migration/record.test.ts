import { describe, expect, it } from 'vitest';
import { type Intent, intentSchema } from '../../../src/messages/intent.ts';
import { recordSchema } from '../../../src/messages/record.ts';
import { admit } from '../../../src/migration/admission.ts';
import { advance, recordFromIntent, statesPassed } from '../../../src/migration/record.ts';

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds));
const intent: Intent = intentSchema.parse({
  v: 1,
  id: 'm1',
  vm: 'app1',
  source: 'db1',
  target: 'db2',
  deadline: at(30).toISOString(),
  issuedAt: at(0).toISOString(),
});

describe('a record', () => {
  it('starts from its intent and is of the wire format', () => {
    const record = recordFromIntent(intent, at(1));
    expect(recordSchema.parse(record)).toEqual(record);
    expect(record).toMatchObject({ id: 'm1', state: 'accepted', acceptedAt: at(1).toISOString() });
  });

  it.each([
    [29, true],
    [31, false],
  ])('ready at second %i meets its deadline: %s', (second, met) => {
    const ready = advance(recordFromIntent(intent, at(1)), 'ready', at(second))!;
    expect(ready).toMatchObject({ state: 'ready', readyAt: at(second).toISOString(), deadlineMet: met });
  });

  it('keeps the deadline met when the VM arrives later', () => {
    const ready = advance(recordFromIntent(intent, at(1)), 'ready', at(5))!;
    const arrived = advance(ready, 'arrive', at(60))!;
    expect(arrived).toMatchObject({ state: 'arrived', deadlineMet: true, arrivedAt: at(60).toISOString() });
    expect(advance(arrived, 'complete', at(90))).toMatchObject({
      state: 'completed',
      endedAt: at(90).toISOString(),
    });
  });

  it('did not meet its deadline when the VM arrived before ready', () => {
    expect(advance(recordFromIntent(intent, at(1)), 'arrive', at(2))).toMatchObject({ deadlineMet: false });
  });

  it('is not changed by a trigger that comes too late', () => {
    const aborted = advance(recordFromIntent(intent, at(1)), 'abort', at(2))!;
    expect(advance(aborted, 'arrive', at(3))).toBeNull();
  });
});

describe('the states that a record has been through', () => {
  const names = (record: Parameters<typeof statesPassed>[0]) =>
    statesPassed(record).map(({ state }) => state);
  const accepted = recordFromIntent(intent, at(1));

  it('are all of a good migration, in their order and each at its time', () => {
    const warming = advance(advance(accepted, 'profile', at(2))!, 'warm', at(3))!;
    const arrived = advance(advance(warming, 'ready', at(4))!, 'arrive', at(5))!;
    const completed = advance(arrived, 'complete', at(6))!;
    expect(names(completed)).toEqual(['accepted', 'profiling', 'warming', 'ready', 'arrived', 'completed']);
    expect(statesPassed(completed).map((one) => one.at)).toEqual(
      [1, 1, 3, 4, 5, 6].map((second) => at(second).toISOString()),
    );
  });

  it('are those of a short one', () => {
    expect(names(accepted)).toEqual(['accepted']);
    expect(names(advance(accepted, 'profile', at(2))!)).toEqual(['accepted', 'profiling']);
    expect(names(advance(accepted, 'arrive', at(2))!)).toEqual(['accepted', 'arrived']);
    expect(names(advance(accepted, 'abort', at(2))!)).toEqual(['accepted', 'aborted']);
  });
});

describe('admission', () => {
  const context = { replica: 'db2', now: at(10), expiryMs: 60_000 };
  it('takes a good intent', () => {
    expect(admit(intent, context)).toEqual({ admit: true });
  });

  it('takes one whose deadline passed while it waited: the VM arrives cold otherwise', () => {
    expect(admit(intent, { ...context, now: at(80) })).toEqual({ admit: true });
  });

  it.each([
    ['another target', { target: 'db3' }, at(10), 'rejected', 'message_malformed'],
    ['source equal to target', { source: 'db2' }, at(10), 'rejected', 'same_replica'],
    ['a deadline before its issue', { deadline: at(0).toISOString() }, at(10), 'rejected', 'deadline_past'],
    ['a deadline long past', {}, at(91), 'expired', 'deadline_past'],
  ])('refuses %s', (_, fields, now, state, code) => {
    expect(admit({ ...intent, ...fields }, { ...context, now })).toMatchObject({ admit: false, state, code });
  });
});
