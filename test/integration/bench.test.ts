import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { identify, isRunning } from '../../src/lab/process-table.ts';
import { siblingScript } from '../../src/lab/sibling-script.ts';

function startBench(...args: readonly string[]) {
  const script = siblingScript(import.meta.url, '../../src/cli');
  const child = spawn(process.execPath, [...script, 'bench', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const shown = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    shown.err += text;
  });
  return { child, shown, ended: once(child, 'close') };
}

function outFolder() {
  const out = mkdtempSync(join(tmpdir(), 'forewarm-bench-'));
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  return { out, read: (name: string) => readFileSync(join(out, name), 'utf8') };
}

/** Of the processes that it has started itself. */
function childrenOf(pid: number): readonly { readonly pid: number; readonly command: string }[] {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return pids.flatMap((one) => {
    try {
      return [{ pid: Number(one), command: readFileSync(`/proc/${one}/cmdline`, 'utf8') }];
    } catch {
      return [];
    }
  });
}

test.each([
  { args: ['rival'], says: "there is no benchmark 'rival'. Did you mean 'rivals'?" },
  { args: ['rival', '--quick', '--device', 'gp3'], says: "Did you mean 'rivals'?" },
  { args: ['xyzzy'], says: "there is no benchmark 'xyzzy'." },
  { args: ['cost', '--engine', 'mysql'], says: 'Allowed choices are postgres.' },
])(
  'what cannot be run is refused, and why: $args',
  async ({ args, says }) => {
    const { shown, ended } = startBench(...args);
    expect(await ended).toEqual([2, null]);
    expect(shown.err).toContain(says);
    expect(shown.out).toBe('');
  },
  60_000,
);

test('a quick benchmark leaves its results, a report, and its table', async () => {
  const { out, read } = outFolder();
  const { shown, ended } = startBench('planning', '--quick', '--seed', '5', '--out', out);
  expect(await ended).toEqual([0, null]);
  const results = JSON.parse(read('results.json')) as Record<string, unknown>;
  expect(results).toMatchObject({ suite: 'planning', options: { quick: true, repetitions: 1, seed: 5 } });
  expect(results).not.toHaveProperty('incomplete');
  expect(results['figures']).toContainEqual(
    expect.objectContaining({ of: 'realistic', name: 'plan', unit: 'ms', better: 'less' }),
  );
  expect(read('report.html')).toContain('realistic');
  expect(shown.out).toContain('realistic');
  expect(shown.out).toContain(out);
}, 120_000);

test('a benchmark that is told to end leaves what it has measured, marked, and nothing that runs', async () => {
  const { out, read } = outFolder();
  const { child, shown, ended } = startBench('planning', '--quick', '--out', out);
  const second = () => childrenOf(child.pid!).find(({ command }) => command.includes('--scenario\0worst'));
  await expect.poll(second, { timeout: 60_000, interval: 20 }).toBeDefined();
  const scenario = identify(second()!.pid)!;
  child.kill('SIGINT');
  expect(await ended).toEqual([130, null]);
  expect(JSON.parse(read('results.json'))).toMatchObject({
    incomplete: { reason: 'ended by SIGINT' },
    figures: expect.arrayContaining([expect.objectContaining({ of: 'realistic', name: 'plan' })]),
  });
  expect(read('report.html')).toContain('This run is incomplete: ended by SIGINT');
  expect(shown.err).toContain(`marked as incomplete: ${out}`);
  await expect.poll(() => isRunning(scenario)).toBe(false);

  const compared = startBench('compare', out, join(out, 'results.json'));
  expect(await compared.ended).toEqual([2, null]);
  expect(compared.shown.err).toMatch(
    /results\.json is of a run that did not come to its end \(ended by SIGINT\), and cannot be compared\n {2}Give the results/,
  );
}, 120_000);

test.each([
  ['a file that is not there', 'missing.json', /missing\.json cannot be read: ENOENT/],
  ['the report', 'report.html', /report\.html is not JSON: .*\n {2}Give results\.json, not the report/],
  [
    'an old one',
    'old.json',
    /old\.json is no results\.json .*: figures is missing\n {2}Give the results\.json/,
  ],
])(
  'a comparison with %s is refused in words, with exit status 2',
  async (_, name, message) => {
    const { out } = outFolder();
    const old = { suite: 'demo', at: '', options: {}, versions: {}, settings: {} };
    writeFileSync(join(out, 'old.json'), JSON.stringify(old));
    writeFileSync(join(out, 'report.html'), '<!doctype html>');
    const { ended, shown } = startBench('compare', join(out, name), join(out, name));
    expect(await ended).toEqual([2, null]);
    expect(shown.err).toMatch(message);
  },
  30_000,
);
