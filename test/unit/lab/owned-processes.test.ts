import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { OwnedProcesses } from '../../../src/lab/owned-processes.ts';
import { descendantsOf, identify, isRunning, type ProcessId } from '../../../src/lab/process-table.ts';
import { siblingScript } from '../../../src/lab/sibling-script.ts';

interface Holder {
  readonly process: ChildProcess;
  readonly folder: string;
  readonly family: readonly ProcessId[];
}

/** Starts `lab-holder` in a process group of its own and learns what it has started. */
async function startHolder(ending: string): Promise<Holder> {
  const child = spawn(process.execPath, [...siblingScript(import.meta.url, 'lab-holder'), ending], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  const { folder, pids } = JSON.parse(line) as { folder: string; pids: number[] };
  const family = [...pids.flatMap((pid) => identify(pid) ?? []), ...descendantsOf(pids)];
  return { process: child, folder, family };
}

describe.concurrent('what a lab has started is gone after', () => {
  let bystander: ChildProcess;
  beforeAll(() => {
    bystander = spawn('sleep', ['300']);
  });
  afterAll(() => bystander.kill());

  async function expectGone({ folder, family }: Holder): Promise<void> {
    const patience = { timeout: 15_000, interval: 50 };
    await vi.waitFor(() => expect(family.filter(isRunning)).toEqual([]), patience);
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), patience);
    expect(identify(bystander.pid!)).toBeDefined();
  }

  test.each(['exit', 'throw', 'dispose'])('%s', async (ending) => {
    await expectGone(await startHolder(ending));
  });

  test.each(['SIGKILL', 'SIGTERM', 'SIGHUP'] as const)('%s to the process', async (signal) => {
    const holder = await startHolder('wait');
    // A helper of the loader may have ended by itself since it was listed.
    expect(holder.family.filter(isRunning).length).toBeGreaterThanOrEqual(3);
    const ended = once(holder.process, 'exit');
    holder.process.kill(signal);
    await expectGone(holder);
    expect(await ended).toEqual([null, signal]);
  });

  test('Ctrl-C, which reaches the whole process group', async () => {
    const holder = await startHolder('wait');
    const ended = once(holder.process, 'exit');
    process.kill(-holder.process.pid!, 'SIGINT');
    await expectGone(holder);
    expect(await ended).toEqual([null, 'SIGINT']);
  });
});

describe('OwnedProcesses', () => {
  test('ends a child, and only that one', async () => {
    const owned = new OwnedProcesses({ handleSignals: false });
    try {
      const [first, second] = [owned.spawn('sleep', ['300']), owned.spawn('sleep', ['300'])];
      await owned.end(first);
      expect(await first.ended).toEqual({ code: null, signal: 'SIGTERM' });
      expect(owned.running()).toEqual([second.pid]);
    } finally {
      await owned.dispose();
    }
    expect(owned.running()).toEqual([]);
    expect(() => owned.spawn('sleep', ['1'])).toThrow('being taken down');
  });

  test('says what could not be started', async () => {
    const owned = new OwnedProcesses({ handleSignals: false });
    expect(() => owned.spawn('/nowhere/server', [])).toThrow('/nowhere/server could not be started');
    await owned.dispose();
  });
});
