import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitParts } from '../../../src/attribution/split.ts';

describe('dividing a statement among VMs', () => {
  it('says nothing where nobody was seen', () => {
    expect(splitParts([])).toBeUndefined();
    expect(splitParts([{ vm: 'a', active: 0, idle: 0 }])).toBeUndefined();
  });

  it('goes by active sessions where they contradict the idle ones, the more the more of them were seen', () => {
    const parts = (active: number) =>
      splitParts([
        { vm: 'a', active: 3 * active, idle: 0 },
        { vm: 'b', active, idle: 500 },
      ])?.get('a') ?? 0;
    expect(parts(3)).toBeGreaterThan(0.7);
    expect(parts(3)).toBeLessThan(0.75);
    expect(parts(300)).toBeCloseTo(0.75);
  });

  it('keeps to hundreds of idle sessions that eight active ones contradict by no more than chance', () => {
    const parts = splitParts([
      { vm: 'a', active: 2, idle: 105 },
      { vm: 'b', active: 1, idle: 100 },
      { vm: 'c', active: 5, idle: 95 },
    ]);
    for (const vm of ['a', 'b', 'c']) expect(Math.abs((parts?.get(vm) ?? 0) - 1 / 3)).toBeLessThan(0.06);
  });

  it('moves little by one sample more, however many there were', () => {
    const parts = (active: number) =>
      splitParts([
        { vm: 'a', active, idle: 100 },
        { vm: 'b', active: 1, idle: 100 },
      ])?.get('a') ?? 0;
    for (let active = 1; active < 40; active++)
      expect(Math.abs(parts(active + 1) - parts(active))).toBeLessThan(0.12);
  });

  it('goes by idle sessions where hardly any was seen active, and gives unmatched ones their part', () => {
    const parts = splitParts([
      { vm: 'a', active: 0, idle: 6 },
      { vm: '', active: 0, idle: 2 },
    ]);
    expect(parts?.get('a')).toBeCloseTo(0.75);
    expect(parts?.get('')).toBeCloseTo(0.25);
  });

  it('adds up to 1, with nothing for a VM that was not seen', () => {
    const count = fc.record({
      vm: fc.constantFrom('a', 'b', 'c', ''),
      active: fc.nat(50),
      idle: fc.nat(50),
    });
    fc.assert(
      fc.property(fc.array(count, { maxLength: 6 }), (counts) => {
        const parts = splitParts(counts);
        if (parts === undefined) return counts.every((one) => one.active + one.idle === 0);
        const sum = [...parts.values()].reduce((total, part) => total + part, 0);
        const seen = (vm: string) => counts.some((one) => one.vm === vm && one.active + one.idle > 0);
        return Math.abs(sum - 1) < 1e-9 && [...parts].every(([vm, part]) => part > 0 && seen(vm));
      }),
    );
  });
});
