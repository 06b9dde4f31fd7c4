import { expect, test, vi } from 'vitest';
import { Checkouts, type QueueRules } from '../../../src/routing/checkouts.ts';
import type { Driver, PoolEvents, ReplicaPool } from '../../../src/routing/driver.ts';
import { Tenure } from '../../../src/routing/tenure.ts';

interface Connection {
  readonly at: string;
}

/** A pool in memory: each opening waits until it is allowed or fails. */
class FakePool implements ReplicaPool<Connection> {
  readonly limit = 2;
  readonly opening: PromiseWithResolvers[] = [];
  readonly returned: Connection[] = [];
  readonly #replica: string;
  readonly #events: PoolEvents<Connection>;

  constructor(replica: string, events: PoolEvents<Connection>) {
    this.#replica = replica;
    this.#events = events;
  }

  async open(): Promise<Connection> {
    const allowed = withResolvers();
    this.opening.push(allowed);
    await allowed.promise;
    return { at: this.#replica };
  }

  async warm(): Promise<void> {}
  async drain(): Promise<void> {}
  async end(): Promise<void> {}
  cut(): void {}

  giveBack(connection: Connection): void {
    this.returned.push(connection);
    this.#events.freed(connection);
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}

const rules: QueueRules = {
  timeoutMs: 0,
  timedOut: () => new Error('timed out'),
  closed: () => new Error('closed'),
};

function setUp(options: { rules?: Partial<QueueRules>; again?: boolean } = {}) {
  const pools = new Map<string, FakePool>();
  const driver = {
    pool: (replica: string, events: PoolEvents<Connection>) => {
      const pool = new FakePool(replica, events);
      pools.set(replica, pool);
      return pool;
    },
  } as unknown as Driver<Connection>;
  const openFailed = vi.fn(async () => options.again ?? false);
  const checkouts = new Checkouts<Connection>({ ...rules, ...options.rules }, { openFailed });
  const tenure = (replica: string) =>
    new Tenure(driver, replica, { freed: () => queueMicrotask(() => checkouts.pump()), broke: () => {} });
  const results: (string | undefined)[] = [];
  const take = () =>
    checkouts.take((error, connection) => {
      results.push(error === undefined ? connection?.at : (error as Error).message);
    });
  return { checkouts, tenure, take, results, openFailed, poolOf: (replica: string) => pools.get(replica)! };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('no more are asked for than there is room', async () => {
  const { checkouts, tenure, take, results, poolOf } = setUp();
  checkouts.use(tenure('a'));
  for (let count = 0; count < 3; count++) take();
  expect(poolOf('a').opening).toHaveLength(2);
  expect(checkouts.waitingCount).toBe(1);
  for (const opening of poolOf('a').opening) opening.resolve();
  await settle();
  expect(results).toEqual(['a', 'a']);
});

test('a swap takes along those who wait, and those whose connection is being opened', async () => {
  const { checkouts, tenure, take, results, poolOf } = setUp();
  checkouts.use(tenure('a'));
  for (let count = 0; count < 2; count++) take();
  checkouts.use(tenure('b'));
  expect(poolOf('b').opening).toHaveLength(2);
  for (const opening of poolOf('b').opening) opening.resolve();
  await settle();
  expect(results).toEqual(['b', 'b']);
  poolOf('a').opening[0]!.resolve();
  poolOf('a').opening[1]!.reject(new Error('gone'));
  await settle();
  expect(results).toHaveLength(2);
  expect(poolOf('a').returned).toEqual([{ at: 'a' }]);
});

test('while it is held nobody gets anything, whoever else holds it too', async () => {
  const { checkouts, tenure, take, results, poolOf } = setUp();
  checkouts.use(tenure('a'));
  const [first, second] = [checkouts.hold(), checkouts.hold()];
  take();
  first();
  first();
  expect(poolOf('a').opening).toHaveLength(0);
  second();
  poolOf('a').opening[0]!.resolve();
  await settle();
  expect(results).toEqual(['a']);
});

test('a barrier lets through who came before it, and holds who comes after, until the last one is lifted', async () => {
  const { checkouts, tenure, take, results, poolOf } = setUp();
  const release = checkouts.hold();
  checkouts.use(tenure('a'));
  take();
  const [first, second] = [checkouts.barrier(), checkouts.barrier()];
  take();
  release();
  expect(poolOf('a').opening).toHaveLength(1);
  second();
  expect(poolOf('a').opening).toHaveLength(1);
  first();
  expect(poolOf('a').opening).toHaveLength(2);
  for (const opening of poolOf('a').opening) opening.resolve();
  await settle();
  expect(results).toEqual(['a', 'a']);
});

test('an opening that fails is told, or tried again where the pool is then', async () => {
  const hopeless = setUp();
  hopeless.checkouts.use(hopeless.tenure('a'));
  hopeless.take();
  hopeless.poolOf('a').opening[0]!.reject(new Error('refused'));
  await settle();
  expect(hopeless.results).toEqual(['refused']);

  const { checkouts, tenure, take, results, poolOf, openFailed } = setUp({ again: true });
  checkouts.use(tenure('a'));
  openFailed.mockImplementationOnce(async () => {
    checkouts.use(tenure('b'));
    return true;
  });
  take();
  poolOf('a').opening[0]!.reject(new Error('refused'));
  await settle();
  poolOf('b').opening[0]!.resolve();
  await settle();
  expect(results).toEqual(['b']);
});

test('who has waited too long is told so, and their connection is given back', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { checkouts, tenure, take, results, poolOf } = setUp({ rules: { timeoutMs: 100 } });
    checkouts.use(tenure('a'));
    take();
    vi.advanceTimersByTime(100);
    expect(results).toEqual(['timed out']);
    poolOf('a').opening[0]!.resolve();
    await settle();
    expect(results).toHaveLength(1);
    expect(poolOf('a').returned).toHaveLength(1);
  } finally {
    vi.useRealTimers();
  }
});

test('a full pool may refuse; one that has not begun never does', async () => {
  const { checkouts, tenure, take, results } = setUp({ rules: { refuse: () => new Error('no room') } });
  take();
  checkouts.use(tenure('a'));
  take();
  take();
  await settle();
  expect(results).toEqual(['no room']);
});

test('a close refuses all that wait and all that come', async () => {
  const { checkouts, take, results } = setUp();
  take();
  checkouts.close();
  take();
  await settle();
  expect(results).toEqual(['closed', 'closed']);
});
