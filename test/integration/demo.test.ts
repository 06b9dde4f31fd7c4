import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { EngineKind } from '../../src/engines/engine.ts';
import { runExperiment } from '../../src/lab/experiment/run-experiment.ts';
import type { Stage } from '../../src/lab/experiment/site.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { siblingScript } from '../../src/lab/sibling-script.ts';

const cli = siblingScript(import.meta.url, '../../src/cli');

interface Small {
  readonly engine: EngineKind;
  readonly blockBytes: number;
  readonly poolMb: number;
  readonly hotShare: number;
  /** Pages that a server reads of each table's file by itself, when it opens the table. */
  readonly openingReads: number;
}

const small: readonly Small[] = [
  { engine: 'postgres', blockBytes: 8192, poolMb: 48, hotShare: 1 / 3, openingReads: 0 },
  { engine: 'mariadb', blockBytes: 16_384, poolMb: 64, hotShare: 1, openingReads: 4 },
];

// Most of the time they wait: side by side they take as long as one.
test.concurrent.each(small)(
  'a small experiment on $engine moves the VM three times, and warms for it only',
  async ({ blockBytes, openingReads, ...sizes }) => {
    const owned = new OwnedProcesses({ handleSignals: false });
    const stages: string[] = [];
    try {
      const { document, runs } = await runExperiment({
        ...{ owned, device: 'none', tableMb: 32, neighbourTableMb: 8, ...sizes },
        ...{ seed: 3, clientCount: 2, pace: { before: 300, after: 300 }, repetitions: 1, fillMs: 3_000 },
        ...{ lookMs: 3_000, agentSettings: { account: { window: '2s' } } },
        onStage: ({ text }: Stage) => void stages.push(text),
      });
      expect(stages).toHaveLength(6);
      expect(Object.keys(document)).toEqual(['device', 'workSet', 'arms']);
      expect(document.arms.map(({ name }) => name)).toEqual(['cold', 'forewarm', 'warm']);
      expect(document.device).toEqual({ profile: 'none', throttled: false });
      expect(document.workSet.bytes).toBe(document.workSet.blocks * blockBytes);
      for (const arm of document.arms) {
        expect(arm).toMatchObject({ failedQueries: 0 });
        expect(arm.first1s.tps).toBeGreaterThan(0);
        expect(arm.first10s.p99Ms).toBeGreaterThan(0);
      }
      const [cold, forewarm] = document.arms;
      expect(forewarm?.bytesRead).toBeGreaterThan(document.workSet.bytes * 0.9);
      expect(forewarm?.readyMs).toBeGreaterThan(0);
      expect(forewarm?.readAfterBytes).toBeLessThan((cold?.readAfterBytes ?? 0) / 2);
      const migration = runs.find(({ figures }) => figures.name === 'forewarm')?.migration;
      expect(migration?.record).toMatchObject({
        vm: 'app1',
        source: 'db1',
        target: 'db2',
        strategy: 'blocks',
      });
      expect(migration?.strangerBlocks.read).toBeLessThanOrEqual(openingReads);
      expect(migration?.strangerBlocks.resident).toBeLessThanOrEqual(openingReads);
      const held = (name: string) => migration?.maps.after.find((one) => one.name === name)?.residentBlocks;
      const atSource = migration?.maps.source.find(({ name }) => name === 'app1_data')?.residentBlocks ?? 0;
      expect(held('app1_data')).toBeGreaterThan(atSource * 0.9);
      expect(held('app2_data')).toBeLessThanOrEqual(openingReads);
    } finally {
      await owned.dispose();
    }
  },
  180_000,
);

test('an engine that is not known is refused, with those that are', async () => {
  const child = spawn(process.execPath, [...cli, 'demo', '--engine', 'oracle'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let shown = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  expect(await once(child, 'close')).toEqual([2, null]);
  expect(shown).toContain('postgres, mariadb, mysql');
});

test('Ctrl-C ends the demo and leaves nothing behind', async () => {
  const dir = mkdtempSync('/var/tmp/forewarm-test-');
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  // Servers run as another user when the test is root.
  chmodSync(dir, 0o755);
  const child = spawn(process.execPath, [...cli, 'demo', '--out', join(dir, 'report.html')], {
    env: { ...process.env, FOREWARM_LAB_DIR: dir },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let shown = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const before = shown;
    shown += text;
    const running = 'starting the agents';
    if (shown.includes(running) && !before.includes(running)) child.kill('SIGINT');
  });
  expect(await exited).toEqual([130, null]);
  expect(shown).toContain('taking everything down');
  expect(readdirSync(dir)).toEqual([]);
}, 120_000);
