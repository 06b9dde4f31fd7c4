import { expect, test } from 'vitest';
import { processorMs, residentBytes } from '../../../src/lab/processor-time.ts';

test('a process has used processor time and memory, in ms and bytes', () => {
  const before = processorMs('/proc/self/stat');
  expect(before).toBeGreaterThan(0);
  const { user, system } = process.cpuUsage();
  // The kernel counts in ticks of 10 ms.
  expect(before).toBeLessThanOrEqual((user + system) / 1_000 + 20);
  expect(residentBytes(process.pid)).toBeGreaterThan(10e6);
});

test('one that is gone has none', () => {
  expect(processorMs('/proc/0/stat')).toBe(0);
  expect(residentBytes(0)).toBe(0);
});
