import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SimulatedEngine } from '../../src/lab/simulated-engine.ts';
import { intent, SimulatedWorld } from './simulated-world.ts';

/** What an agent, whose database is simulated, does with messages that are no good. */

let world: SimulatedWorld;

describe('refusals: a clear event, and the next good intent is served', () => {
  beforeAll(async () => {
    world = await SimulatedWorld.create();
    await world.start('db1');
    await world.start('db2');
  });
  afterAll(() => world?.close());

  const past = (ms: number) => new Date(Date.now() - ms).toISOString();
  it.each([
    ['source equal to target', { source: 'db2' }, 'rejected', 'same_replica'],
    ['a deadline before its issue', { deadline: past(5_000) }, 'rejected', 'deadline_past'],
    [
      'a deadline long past',
      { deadline: past(600_000), issuedAt: past(700_000) },
      'expired',
      'deadline_past',
    ],
    ['a target that is not this one', { target: 'db9' }, 'rejected', 'message_malformed'],
  ] as const)('%s', async (_, fields, state, code) => {
    const bad = intent(fields);
    await world.publishRaw('db2', JSON.stringify(bad));
    await world.reached(bad.id, state);
    expect((await world.record(bad.id))?.error?.code).toBe(code);
    expect((await world.eventsOf(bad.id)).at(-1)).toMatchObject({ state, code });
    const good = intent();
    await world.broker.publishIntent(good);
    await world.reached(good.id, 'ready');
  });

  it.each([
    ['not JSON', 'not json {', 'message_malformed'],
    ['bytes that are not UTF-8', new Uint8Array([0xff, 0xfe, 0x00]), 'message_malformed'],
    ['an empty message', '', 'message_malformed'],
    ['a JSON value that is no object', '[1,2]', 'version_unsupported'],
    ['another version', JSON.stringify({ ...intent(), v: 2 }), 'version_unsupported'],
    ['an unknown kind', JSON.stringify({ ...intent(), kind: 'teleported' }), 'message_malformed'],
    ['SQL in a name', JSON.stringify(intent({ id: 'x', vm: `app1'; DROP TABLE t;--` })), 'message_malformed'],
    ['wildcards and dots in a name', JSON.stringify(intent({ id: 'z', vm: 'app.*.>' })), 'message_malformed'],
    ['quotes in an id', JSON.stringify(intent({ id: `"'` })), 'message_malformed'],
    [
      'nearly a megabyte',
      JSON.stringify({ ...intent({ id: 'y' }), vm: 'a'.repeat(1_000_000) }),
      'message_malformed',
    ],
  ])('%s', async (_, data, code) => {
    const rejections = async () =>
      (await world.eventsOf()).filter(({ state }) => state === 'rejected').map((event) => event.code);
    const before = await rejections();
    await world.publishRaw('db2', data);
    await expect.poll(rejections).toEqual([...before, code]);
    const good = intent();
    await world.broker.publishIntent(good);
    await world.reached(good.id, 'ready');
  });
});

describe('refusals of an agent', () => {
  beforeEach(async () => {
    world = await SimulatedWorld.create();
  });
  afterEach(() => world?.close());

  it('a VM that nobody knows', async () => {
    const engine = new SimulatedEngine({ replica: 'db1', workSetBlocks: 10 });
    await world.start('db1', { engine });
    await world.start('db2');
    const bad = intent({ vm: 'ghost' });
    await world.broker.publishIntent(bad);
    await world.reached(bad.id, 'rejected');
    expect((await world.record(bad.id))?.error?.code).toBe('vm_unknown');
  });

  it('no source to be found', async () => {
    await world.start('db2');
    const { source: _, ...bad } = intent();
    await world.broker.publishIntent(bad);
    await world.reached(bad.id, 'rejected');
    expect((await world.record(bad.id))?.error?.code).toBe('source_unknown');
  });

  it('an arrival of a migration that nobody announced', async () => {
    await world.start('db2');
    await world.say('nobody', 'arrived');
    await expect
      .poll(async () => (await world.eventsOf('nobody')).at(-1)?.code, { timeout: 20_000 })
      .toBe('migration_unknown');
  });
});
