import { expect, test } from 'vitest';
import { happenings, isOver, nextPhase, phases, transitions } from '../../../src/routing/phases.ts';

test('every phase has an answer to every happening', () => {
  for (const phase of phases)
    for (const happening of happenings)
      expect([...phases, 'early', 'late']).toContain(transitions[phase][happening]);
});

test('a switch goes through its phases in order', () => {
  expect(nextPhase('preparation', 'prepared')).toBe('in progress');
  expect(nextPhase('in progress', 'swapped')).toBe('post');
  expect(nextPhase('post', 'drained')).toBe('completed');
});

test('before the swap it fails or is superseded, after it it falls back', () => {
  for (const phase of ['preparation', 'in progress'] as const) {
    expect(nextPhase(phase, 'fail')).toBe('failed');
    expect(nextPhase(phase, 'supersede')).toBe('superseded');
  }
  expect(nextPhase('post', 'fail')).toBe('fell back');
  expect(nextPhase('post', 'supersede')).toBeNull();
});

test('a replica that lags takes it back to preparation, and only before the swap', () => {
  expect(nextPhase('in progress', 'wait')).toBe('preparation');
  for (const phase of phases) if (phase !== 'in progress') expect(nextPhase(phase, 'wait')).toBeNull();
});

test('what is over stays over', () => {
  const ends = phases.filter(isOver);
  expect(ends).toEqual(['completed', 'failed', 'superseded', 'fell back']);
  for (const phase of ends)
    for (const happening of happenings) expect(nextPhase(phase, happening)).toBeNull();
});
