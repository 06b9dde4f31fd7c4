import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitParts } from '../../../src/attribution/split.ts';

describe('dividing a statement among VMs', () => {
  it('says nothing where nobody was seen', () => {
    expect(splitParts([])).toBeUndefined();
    expect(splitParts([{ vm: 'a', active: 0, idle: 0 }])).toBeUndefined();
  });

  it('leaves idle sessions out once enough were seen active', () => {
    const parts = splitParts([
      { vm: 'a', active: 9, idle: 0 },
      { vm: 'b', active: 3, idle: 500 },
    ]);
    expect(parts?.get('a')).toBeCloseTo(0.75);
    expect(parts?.get('b')).toBeCloseTo(0.25);
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
