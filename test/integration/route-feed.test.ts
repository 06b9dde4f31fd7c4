import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { connectBroker } from '../../src/broker/broker.ts';
import { followRoute, type NatsOptions } from '../../src/broker/route-feed.ts';
import { type NatsServer, startNats } from '../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';

const owned = new OwnedProcesses({ handleSignals: false });
let nats: NatsServer;

beforeAll(async () => {
  nats = await startNats({
    owned,
    config: `authorization { users: [
      { user: admin, password: secret }
      { user: reader, password: secret, permissions: {
        publish: ["$JS.API.CONSUMER.CREATE.KV_feed_routes", "$JS.API.CONSUMER.CREATE.KV_feed_routes.>"]
        subscribe: ["_INBOX.>"]
      } }
      { user: nobody, password: secret, permissions: { publish: ["nothing"], subscribe: ["_INBOX.>"] } }
    ] }`,
  });
});
afterAll(() => owned.dispose());

const admin = () =>
  connectBroker({
    url: nats.url,
    user: 'admin',
    password: 'secret',
    prefix: 'feed',
    name: 'test',
    logger: silentLogger,
  });

const at = (user: string): NatsOptions => ({ url: nats.url, user, password: 'secret', timeoutMs: 500 });

function follow(nats: string | NatsOptions, history = false) {
  const stop = new AbortController();
  const seen: string[] = [];
  const lost: unknown[] = [];
  let currentCount = 0;
  const done = followRoute(
    {
      vm: 'app1',
      nats,
      prefix: 'feed',
      logger: silentLogger,
      name: 'feed',
      history,
    },
    {
      route: ({ replica, epoch }) => seen.push(`${replica} ${epoch}`),
      current: () => {
        currentCount += 1;
      },
      lost: (error) => lost.push(error),
    },
    stop.signal,
  );
  return {
    seen,
    lost,
    currentCount: () => currentCount,
    end: async () => {
      stop.abort();
      await done;
    },
  };
}

test('the right to read the bucket is enough, also after an outage', async () => {
  let broker = await admin();
  await broker.routes.set('app1', { replica: 'db1' });
  const feed = follow(at('reader'));
  await vi.waitFor(() => expect(feed.currentCount()).toBe(1), { timeout: 10_000 });
  expect(feed.seen).toEqual(['db1 1']);
  await broker.routes.set('app1', { replica: 'db2' });
  await vi.waitFor(() => expect(feed.seen).toEqual(['db1 1', 'db2 2']), { timeout: 10_000 });
  for (const [history, kept] of [
    [true, ['db1 1', 'db2 2']],
    [false, ['db2 2']],
  ] as const) {
    const late = follow(at('reader'), history);
    await vi.waitFor(() => expect(late.currentCount()).toBe(1), { timeout: 10_000 });
    expect(late.seen).toEqual(kept);
    await late.end();
  }
  await broker.close();
  await nats.kill();
  await vi.waitFor(() => expect(feed.lost.length).toBeGreaterThan(0), { timeout: 10_000 });
  await nats.start();
  broker = await admin();
  await broker.routes.set('app1', { replica: 'db3' });
  await vi.waitFor(() => expect(feed.seen.at(-1)).toBe('db3 3'), { timeout: 20_000 });
  await broker.routes.set('app1', { replica: 'db4' });
  await vi.waitFor(() => expect(feed.seen.at(-1)).toBe('db4 4'), { timeout: 10_000 });
  await broker.close();
  await feed.end();
});

test('a VM without a route, or whose route was deleted, tells nothing', async () => {
  const broker = await admin();
  await broker.routes.delete('app1');
  const feed = follow(at('reader'));
  await vi.waitFor(() => expect(feed.currentCount()).toBe(1), { timeout: 10_000 });
  expect(feed.seen).toEqual([]);
  await broker.routes.set('app1', { replica: 'db1' });
  await vi.waitFor(() => expect(feed.seen).toHaveLength(1), { timeout: 10_000 });
  await broker.close();
  await feed.end();
});

test('who connects may stand in the URL', async () => {
  const broker = await admin();
  await broker.routes.set('app2', { replica: 'db1' });
  const feed = follow(nats.url.replace('//', '//reader:%73ecret@'));
  await vi.waitFor(() => expect(feed.currentCount()).toBe(1), { timeout: 10_000 });
  expect(feed.lost).toEqual([]);
  await broker.close();
  await feed.end();
});

test('without that right, or with a wrong password, it says so and goes on trying', async () => {
  for (const user of ['nobody', 'stranger']) {
    const feed = follow(at(user));
    await vi.waitFor(() => expect(feed.lost.length).toBeGreaterThan(1), { timeout: 10_000 });
    expect(feed.lost[0]).toMatchObject({ code: expect.stringMatching(/^broker_/) });
    expect(feed.seen).toEqual([]);
    await feed.end();
  }
});
