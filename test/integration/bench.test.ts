import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { siblingScript } from '../../src/lab/sibling-script.ts';

test('a quick benchmark leaves its results, a report, and its table', async () => {
  const out = mkdtempSync(join(tmpdir(), 'forewarm-bench-'));
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  const args = [
    ...siblingScript(import.meta.url, '../../src/cli'),
    'bench',
    'planning',
    '--quick',
    '--seed',
    '5',
    '--out',
    out,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  const results = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Record<string, unknown>;
  expect(results).toMatchObject({ suite: 'planning', options: { quick: true, repetitions: 1, seed: 5 } });
  expect(results['figures']).toContainEqual(
    expect.objectContaining({ of: 'realistic', name: 'plan', unit: 'ms', better: 'less' }),
  );
  expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('realistic');
  expect(shown).toContain('realistic');
  expect(shown).toContain(out);
}, 120_000);
