import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { flatten } from '../../../src/config/option.ts';
import { agentOptions, hookOptions } from '../../../src/config/options.ts';
import {
  renderErrors,
  renderMetrics,
  renderOptions,
  renewTables,
} from '../../../src/config/render-tables.ts';
import { errorCodes } from '../../../src/lib/errors.ts';
import { agentMetrics } from '../../../src/metrics/agent-metrics.ts';
import { poolMetrics } from '../../../src/metrics/pool-metrics.ts';

test('the table has each option once, with its variable', () => {
  const table = renderOptions();
  for (const { path, env } of [...flatten(agentOptions), ...flatten(hookOptions)]) {
    expect(table.split(`| \`${path}\` | \`${env}\` |`)).toHaveLength(2);
  }
});

test('the table has each error code', () => {
  for (const code of Object.keys(errorCodes)) expect(renderErrors()).toContain(`| \`${code}\` |`);
});

test('the table has each metric of agents and pools once', () => {
  const table = renderMetrics();
  for (const { name } of [...Object.values(agentMetrics), ...Object.values(poolMetrics)]) {
    expect(table.split(`| \`${name}\` |`)).toHaveLength(2);
  }
});

test('tables are renewed between their markers, and a missing marker is an error', () => {
  const text =
    'a\n<!-- options -->\nwas here before\n<!-- /options -->\nb\n<!-- errors --><!-- /errors -->\nc\n<!-- metrics --><!-- /metrics -->\n';
  const renewed = renewTables(text);
  expect(renewed).not.toContain('was here before');
  expect(renewed).toContain(renderOptions());
  expect(renewTables(renewed)).toBe(renewed);
  expect(() => renewTables('nothing')).toThrow('<!-- options -->');
});

test("the README's tables are those of the code", ({ skip }) => {
  const readme = new URL('../../../README.md', import.meta.url);
  if (!existsSync(readme)) skip('there is no README yet');
  const text = readFileSync(readme, 'utf8');
  expect(renewTables(text)).toBe(text);
});
