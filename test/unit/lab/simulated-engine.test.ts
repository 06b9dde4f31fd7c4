import { expect, test } from 'vitest';
import { SimulatedEngine } from '../../../src/lab/simulated-engine.ts';
import { blockCount } from '../../../src/planning/block-ranges.ts';

test('a work set has as many ranges and blocks as asked for, and they lie in its table', async () => {
  const engine = new SimulatedEngine({ replica: 'db1', workSetBlocks: 1_000, workSetRanges: 64 });
  const [relation] = (await engine.workSet('app1')).relations;
  expect(blockCount(relation!.ranges)).toBe(1_000);
  expect(relation!.ranges.starts.length).toBeLessThanOrEqual(64);
  expect(relation!.ranges.starts.length).toBeGreaterThan(60);
  const last = relation!.ranges.starts.length - 1;
  const end = relation!.ranges.starts[last]! + relation!.ranges.lengths[last]!;
  expect(end).toBeLessThanOrEqual(relation!.sizeBlocks);
});

test('its readers are seen in each window, and their reads are told', async () => {
  const read: string[] = [];
  const engine = new SimulatedEngine({
    ...{ replica: 'db1', workSetBlocks: 10, readers: { vms: ['app1', 'app2'], relations: 3 } },
    onRead: (vm) => read.push(vm),
  });
  const { vms } = await engine.observer.collect();
  expect([...vms.keys()]).toEqual(['app1', 'app2']);
  expect(vms.get('app1')?.relations).toHaveLength(3);
  const [match] = await engine.match(await engine.workSet('app2'));
  await engine.warm({ relation: match!.local!, wanted: [0, 10] });
  expect(read).toEqual(['app2']);
});
