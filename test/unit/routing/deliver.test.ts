import { expect, test, vi } from 'vitest';
import type { Route } from '../../../src/messages/route.ts';
import { Delivery } from '../../../src/routing/outputs/deliver.ts';
import { DoneEpoch } from '../../../src/routing/outputs/done-epoch.ts';
import type { RouteOutput } from '../../../src/routing/outputs/output.ts';

const route = (epoch: number): Route => ({ v: 1, replica: `db${epoch}`, epoch, at: '2030-01-01T00:00:00Z' });

function world(
  apply: { setting?: (epoch: number) => Promise<void>; command?: (epoch: number) => Promise<void> } = {},
) {
  const log: string[] = [];
  const failures: string[] = [];
  const output = (name: string, how?: (epoch: number) => Promise<void>): RouteOutput => ({
    name,
    async apply({ epoch }) {
      await how?.(epoch);
      log.push(`${name} ${epoch}`);
    },
  });
  const done = new DoneEpoch(undefined, 'app1');
  const delivery = new Delivery({
    settings: [output('set', apply.setting)],
    command: output('run', apply.command),
    done,
    onFailure: (error) => failures.push(error.message),
    onMended: (name, { epoch }) => log.push(`mended ${name} ${epoch}`),
  });
  const stop = new AbortController();
  const end = delivery.run(stop.signal);
  return {
    ...{ delivery, log, failures, done },
    stop: async () => {
      stop.abort();
      await end;
    },
  };
}

test('the command is told of each epoch in order, once the settings are there or further', async () => {
  const { delivery, log, done, stop } = world();
  for (const epoch of [1, 2, 3]) delivery.push(route(epoch));
  await vi.waitFor(() => expect(done.epoch).toBe(3));
  await stop();
  expect(log.filter((line) => line.startsWith('run'))).toEqual(['run 1', 'run 2', 'run 3']);
  expect(log.indexOf('set 3')).toBeLessThan(log.indexOf('run 3'));
});

test('what fails is tried again, and the command waits for the settings', async () => {
  let failing = 2;
  const { delivery, log, failures, stop } = world({
    setting: async () => {
      if (failing-- > 0) throw new Error('disk full');
    },
  });
  delivery.push(route(1));
  const steps = ['set 1', 'mended set 1', 'run 1'];
  await vi.waitFor(() => expect(log).toEqual(steps), { timeout: 5_000 });
  await stop();
  expect(failures).toEqual(['set, epoch 1: disk full', 'set, epoch 1: disk full']);
});

test('a command that fails for ever is tried once for each epoch, and the settings do not wait for it', async () => {
  const told: number[] = [];
  const { delivery, log, failures, done, stop } = world({
    command: async (epoch) => {
      told.push(epoch);
      if (epoch < 3) throw new Error('exit 1');
    },
  });
  delivery.push(route(1));
  await vi.waitFor(() => expect(told).toContain(1));
  delivery.push(route(2));
  delivery.push(route(3));
  await vi.waitFor(() => expect(done.epoch).toBe(3));
  await stop();
  expect([...new Set(told)]).toEqual([1, 2, 3]);
  expect(told.filter((epoch) => epoch === 2)).toEqual([2]);
  expect(failures).toContain('run, epoch 2: exit 1');
  expect(log).toContain('set 3');
});

test('once: ends with what did not succeed after some tries', async () => {
  let tries = 0;
  const { delivery, log, stop } = world({
    command: async () => {
      tries += 1;
      throw new Error('exit 1');
    },
  });
  const never = new AbortController().signal;
  await expect(delivery.once([route(1), route(2)], never)).rejects.toThrow('run, epoch 1: exit 1');
  await stop();
  expect({ tries, log }).toEqual({ tries: 3, log: ['set 2'] });
});
