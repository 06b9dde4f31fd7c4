import type { Intent } from '../messages/intent.ts';
import { wireVersion } from '../messages/names.ts';
import type { MigrationRecord } from '../messages/record.ts';
import type { MigrationState } from '../messages/states.ts';
import { isEnd, type Trigger, transition } from './transitions.ts';

/** A new migration's record, from its intent. */
export function recordFromIntent(intent: Intent, at: Date): MigrationRecord {
  return {
    v: wireVersion,
    id: intent.id,
    vm: intent.vm,
    ...(intent.source === undefined ? {} : { source: intent.source }),
    target: intent.target,
    state: 'accepted',
    deadline: intent.deadline,
    issuedAt: intent.issuedAt,
    ...(intent.issuedBy === undefined ? {} : { issuedBy: intent.issuedBy }),
    acceptedAt: at.toISOString(),
  };
}

const timeFields: Partial<Record<MigrationState, 'warmingAt' | 'readyAt' | 'arrivedAt'>> = {
  warming: 'warmingAt',
  ready: 'readyAt',
  arrived: 'arrivedAt',
};

/** The record after a trigger, with the state's time set; null when the trigger changes nothing. */
export function advance(record: MigrationRecord, trigger: Trigger, at: Date): MigrationRecord | null {
  const { next } = transition(record.state, trigger);
  if (next === null) return null;
  const time = at.toISOString();
  const field = timeFields[next];
  return {
    ...record,
    state: next,
    ...(field === undefined ? {} : { [field]: time }),
    ...(next === 'ready' ? { deadlineMet: at.getTime() <= Date.parse(record.deadline) } : {}),
    // An arrival or an end without ready never met its deadline.
    ...((next === 'arrived' || isEnd(next)) && record.deadlineMet === undefined && next !== 'rejected'
      ? { deadlineMet: false }
      : {}),
    ...(isEnd(next) ? { endedAt: time } : {}),
  };
}

/** The states that a record has been through, in their order, each with its time; profiling, whose time is not kept, with that of the acceptance. */
export function statesPassed(record: MigrationRecord): readonly { state: MigrationState; at: string }[] {
  const { state, acceptedAt, warmingAt, readyAt, arrivedAt, endedAt } = record;
  const profiled = state === 'profiling' || warmingAt !== undefined;
  const times: readonly (readonly [MigrationState, string | undefined])[] = [
    ['accepted', acceptedAt],
    ['profiling', profiled ? acceptedAt : undefined],
    ['warming', warmingAt],
    ['ready', readyAt],
    ['arrived', arrivedAt],
    ...(isEnd(state) ? [[state, endedAt] as const] : []),
  ];
  return times.flatMap(([passed, at]) => (at === undefined ? [] : [{ state: passed, at }]));
}
