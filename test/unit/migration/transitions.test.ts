import { describe, expect, it } from 'vitest';
import { migrationStates } from '../../../src/messages/states.ts';
import { isEnd, transition, transitions, triggers } from '../../../src/migration/transitions.ts';

const open = migrationStates.filter((state) => !isEnd(state));
const ended = migrationStates.filter(isEnd);

describe('the table of transitions', () => {
  it('has a cell for every state and trigger', () => {
    for (const state of migrationStates) {
      expect(Object.keys(transitions[state]).sort()).toEqual([...triggers].sort());
    }
  });

  it.each(open.filter((state) => state !== 'arrived'))('takes an arrival in state %s', (state) => {
    expect(transition(state, 'arrive')).toEqual({ next: 'arrived' });
  });

  it.each(ended)('changes nothing after the end: %s', (state) => {
    for (const trigger of triggers) expect(transition(state, trigger)).toEqual({ next: null, why: 'late' });
  });

  it('never goes back', () => {
    const order = (state: (typeof migrationStates)[number]) =>
      isEnd(state) ? Number.POSITIVE_INFINITY : migrationStates.indexOf(state);
    for (const state of migrationStates) {
      for (const trigger of triggers) {
        const { next } = transition(state, trigger);
        if (next !== null) expect(order(next)).toBeGreaterThan(order(state));
      }
    }
  });

  it('neither aborts nor expires a VM that has arrived', () => {
    expect(transition('arrived', 'abort')).toEqual({ next: null, why: 'late' });
    expect(transition('arrived', 'expire')).toEqual({ next: null, why: 'late' });
  });

  it('reaches an end from every state', () => {
    for (const state of open) {
      const ends = triggers
        .map((trigger) => transition(state, trigger).next)
        .filter((next) => next !== null && isEnd(next));
      expect(ends).toContain('completed');
      expect(ends).toContain('failed');
    }
  });
});
