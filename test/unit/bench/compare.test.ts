import { describe, expect, it } from 'vitest';
import { compareResults } from '../../../src/bench/compare.ts';
import { type ComparableResults, parseResults } from '../../../src/bench/read-results.ts';

type Given = Partial<ComparableResults['figures'][number]> & { values: (number | null)[] };

function results(figures: readonly Given[], fields: Partial<ComparableResults> = {}): ComparableResults {
  const whole = {
    suite: 'rivals',
    at: '2026-01-01T00:00:00Z',
    options: { engine: 'postgres', quick: false, repetitions: figures[0]?.values.length ?? 0 },
    versions: { forewarm: '0.1.0' },
    settings: { poolMb: 512, device: { profile: 'gp3' } },
    figures: figures.map((figure) => ({
      of: 'forewarm',
      name: 'ready',
      unit: 'ms',
      better: 'less',
      ...figure,
    })),
    ...fields,
  };
  return parseResults(JSON.stringify(whole), 'r.json');
}

const around = (middle: number, count = 20) => Array.from({ length: count }, (_, i) => middle + (i % 5) - 2);

describe('a comparison', () => {
  it('tells a ratio and its interval', () => {
    const [figure] = compareResults(results([{ values: around(100) }]), results([{ values: around(120) }]));
    expect(figure).toMatchObject({ old: 100, new: 120, ratio: 1.2, verdict: 'worse', samples: [20, 20] });
    const [low, high] = figure!.between!;
    expect(low).toBeLessThan(1.2);
    expect(high).toBeGreaterThan(1.2);
    expect(low).toBeGreaterThan(1.1);
    expect(high).toBeLessThan(1.3);
  });

  it('is the same each time, and another one with another seed', () => {
    const [old, fresh] = [results([{ values: [90, 100, 130] }]), results([{ values: [95, 110, 140] }])];
    expect(compareResults(old, fresh)).toEqual(compareResults(old, fresh));
    const few = { resamples: 20 };
    expect(compareResults(old, fresh, { ...few, seed: 2 })).not.toEqual(compareResults(old, fresh, few));
  });

  it.each([
    ['less is better', 'less', 80, 'better'],
    ['more is better', 'more', 80, 'worse'],
    ['nothing changed', 'less', 100, 'same'],
  ] as const)('knows its direction: %s', (_, better, middle, verdict) => {
    const of = (value: number) => results([{ better, values: around(value) }]);
    expect(compareResults(of(100), of(middle))[0]!.verdict).toBe(verdict);
  });

  it('calls unclear what lies within the noise, and what has one sample', () => {
    const noisy = compareResults(
      results([{ values: [50, 100, 150] }]),
      results([{ values: [60, 105, 160] }]),
    );
    expect(noisy[0]!.verdict).toBe('unclear');
    const single = compareResults(results([{ values: [100] }]), results([{ values: [50] }]));
    expect(single[0]).toMatchObject({ ratio: 0.5, between: null, verdict: 'unclear' });
  });

  it('takes the p99 where that counts', () => {
    const values = Array.from({ length: 101 }, (_, i) => i + 1);
    const p99 = (factor: number) =>
      results([{ statistic: 'p99', values: values.map((value) => value * factor) }]);
    expect(compareResults(p99(1), p99(2))[0]).toMatchObject({ old: 100, new: 200, ratio: 2 });
  });

  it('has no ratio to nothing', () => {
    const of = (value: number) => results([{ values: [value, value] }]);
    expect(compareResults(of(0), of(3))[0]).toMatchObject({ ratio: Number.NaN, verdict: 'unclear' });
    expect(compareResults(of(0), of(0))[0]).toMatchObject({ ratio: 1, verdict: 'same' });
  });

  it('needs no equal number of repetitions', () => {
    const [old, fresh] = [results([{ values: [1, 2, 3] }]), results([{ values: [1, 2, 3, 4, 5] }])];
    expect(compareResults(old, fresh)).toHaveLength(1);
  });
});

describe('what cannot be compared', () => {
  const one = results([{ values: [1, 2] }]);
  it.each([
    ['another suite', results([{ values: [1, 2] }], { suite: 'paper' }), 'suite rivals and suite paper'],
    [
      'another option',
      results([{ values: [1, 2] }], { options: { engine: 'mysql', quick: false } }),
      'options.engine is "postgres" in the old one and "mysql" in the new one',
    ],
    [
      'another setting, deep inside',
      results([{ values: [1, 2] }], { settings: { poolMb: 512, device: { profile: 'hdd' } } }),
      'settings.device.profile is "gp3" in the old one and "hdd" in the new one',
    ],
    [
      'a setting that is missing',
      results([{ values: [1, 2] }], { settings: { device: { profile: 'gp3' } } }),
      'settings.poolMb is 512 in the old one and missing in the new one',
    ],
    ['no samples', results([{ values: [null] }]), 'the new one has no sample of "forewarm: ready"'],
    [
      'another figure',
      results([{ name: 'read', values: [1] }]),
      'the old one has no figure "forewarm: read"',
    ],
  ])('%s', (_, other, message) => {
    expect(() => compareResults(one, other)).toThrow(message);
  });
});
