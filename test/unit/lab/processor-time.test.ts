import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  machineTime,
  processorMs,
  residentBytes,
  sharesSince,
  stolenSince,
} from '../../../src/lab/processor-time.ts';

test('a process has used processor time and memory, in ms and bytes', () => {
  const before = processorMs('/proc/self/stat');
  expect(before).toBeGreaterThan(0);
  const { user, system } = process.cpuUsage();
  // The kernel counts in ticks of 10 ms.
  expect(before).toBeLessThanOrEqual((user + system) / 1_000 + 20);
  expect(residentBytes(process.pid)).toBeGreaterThan(10e6);
});

test('what the host gave to others is a part of the time of all processors', () => {
  const stat = join(tmpdir(), `forewarm-stat-${process.pid}`);
  const tell = (line: string) => writeFileSync(stat, `${line}\ncpu0 1 1 1 1\n`);
  tell('cpu  100 0 50 800 10 0 10 30 7 0');
  const before = machineTime(stat);
  expect(before).toEqual({ all: 1_000, idle: 810, stolen: 30 });
  expect(stolenSince(before, stat)).toBeUndefined();
  tell('cpu  130 0 70 830 10 0 10 50 9 0');
  expect(stolenSince(before, stat)).toBeCloseTo(0.2);
  expect(sharesSince(before, stat)?.busy).toBeCloseTo(0.7);
  expect(machineTime('/nowhere')).toBeUndefined();
});

test('one that is gone has none', () => {
  expect(processorMs('/proc/0/stat')).toBe(0);
  expect(residentBytes(0)).toBe(0);
});
