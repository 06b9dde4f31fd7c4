import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { agentMetrics } from '../../../src/metrics/agent-metrics.ts';
import { counter, type Declaration, gauge } from '../../../src/metrics/declaration.ts';
import { Instruments } from '../../../src/metrics/instruments.ts';
import { poolMetrics } from '../../../src/metrics/pool-metrics.ts';

const all: readonly Declaration[] = [...Object.values(agentMetrics), ...Object.values(poolMetrics)];

test('names say type and unit as Prometheus has them, and are there once', () => {
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  for (const { name, type, unit, labels } of all) {
    const base = name.replace(/_total$/, '');
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    if (unit !== 'none') expect(base.endsWith(`_${unit}`), name).toBe(true);
    expect(labels, name).not.toContain('migration');
  }
});

test('what is unknown, no number or not to be had is left out, and nothing fails', async () => {
  const registry = new Registry();
  const on = new Instruments(registry);
  on.sampled(gauge('unknown', { unit: 'none', help: 'a' }), () => []);
  on.sampled(gauge('broken', { unit: 'none', help: 'b' }), () => {
    throw new Error('not to be had');
  });
  on.sampled(gauge('odd', { unit: 'none', labels: ['of'], help: 'c' }), () => [
    [{ of: 'nothing' }, Number.NaN],
    [{ of: 'two' }, 2],
  ]);
  const count = on.counter(counter('count_total', { unit: 'none', help: 'd' }));
  count.add({}, Number.NaN);
  count.add({}, -1);
  count.add({}, 3);
  const series = (await registry.metrics())
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(series).toEqual(['odd{of="two"} 2', 'count_total 3']);
});
