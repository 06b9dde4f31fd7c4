import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { locatePgBouncer, PgBouncer } from '../../src/lab/pgbouncer.ts';
import { locatePsycopg, type Psycopg } from '../../src/lab/psycopg.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { TcpProxy } from '../faults/support/tcp-proxy.ts';
import { RunningCommand } from './forewarm-cli.ts';
import { testServers } from './servers.ts';

/** Clients of Node and of Python read through a real PgBouncer while the route goes back and forth. */

const switches = 10;
/** A command and a client of Python start slowly on a busy machine. */
const patience = { timeout: 30_000 };
const owned = new OwnedProcesses({ handleSignals: false });
const prefix = `bouncer${process.pid}`;
const running: { stop(): Promise<unknown> }[] = [];
let broker: Broker;

const missing = await Promise.all([locatePgBouncer(), locatePsycopg()]).then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) console.warn(`PgBouncer is not tested: ${missing}`);

const portOf = (replica: 'db1' | 'db2') => Number(new URL(testServers().postgres[replica]).port);

/** What one kind of client saw. */
interface Seen {
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
  /** Transactions that two servers answered. */
  readonly split: number;
}

interface Client {
  /** The server that answered last. */
  readonly last: () => number | undefined;
  stop(): Promise<Seen>;
}

/** Reads in transactions and single statements, with parameters; one connection, or one for each round. */
function startNode(url: string, pooling: Pooling): Client {
  const counts: Record<string, number> = {};
  const failures: string[] = [];
  let [over, split, last] = [false, 0, undefined as number | undefined];
  const connect = async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', (error) => failures.push(`dropped: ${error.message}`));
    await client.connect();
    return client;
  };
  const ask = async (client: pg.Client) => {
    const text = 'SELECT inet_server_port() AS port, $1::int + 1 AS sum';
    const { rows } = await client.query<{ port: number; sum: number }>(text, [41]);
    expect(rows[0]!.sum).toBe(42);
    return rows[0]!.port;
  };
  const work = async () => {
    let client: pg.Client | undefined;
    while (!over) {
      try {
        client ??= await connect();
        last = await ask(client);
        await client.query('BEGIN');
        const [one, two] = [await ask(client), await ask(client)];
        await client.query('COMMIT');
        if (one !== two) split += 1;
        counts[one] = (counts[one] ?? 0) + 1;
        if (pooling === 'session') {
          await client.end();
          client = undefined;
        }
      } catch (error) {
        failures.push(String(error));
        client = undefined;
      }
    }
    await client?.end();
  };
  const workers = [work(), work(), work(), work()];
  return {
    last: () => last,
    async stop() {
      over = true;
      await Promise.all(workers);
      return { counts, failures, split };
    },
  };
}

function startPython(driver: string, url: string, { python, env }: Psycopg, pooling: Pooling): Client {
  const script = new URL('fixtures/psycopg-client.py', import.meta.url).pathname;
  const child: ChildProcess = spawn(python, [script, driver, url, pooling], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let line = '';
  createInterface({ input: child.stdout! }).on('line', (text) => {
    line = text;
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    last: () => Number(line) || undefined,
    async stop() {
      child.stdin!.end();
      await ended;
      return JSON.parse(line) as Seen;
    },
  };
}

type Pooling = 'transaction' | 'session';

function watch(
  bouncer: PgBouncer,
  vm: string,
  { entries = 'app,app-ro', admin = bouncer.admin } = {},
): RunningCommand {
  const replicas = JSON.stringify({
    db1: { host: '127.0.0.1', port: portOf('db1') },
    db2: { host: '127.0.0.1', port: portOf('db2') },
  });
  const command = new RunningCommand(
    ['route', 'watch', vm, '--pgbouncer', bouncer.ini, '--pgbouncer-databases', entries],
    {
      FOREWARM_NATS_URL: testServers().nats,
      FOREWARM_NATS_PREFIX: prefix,
      FOREWARM_REPLICAS: replicas,
      FOREWARM_PGBOUNCER_ADMIN: admin,
    },
  );
  running.push(command);
  return command;
}

const databases = () =>
  [
    '; where the application reads',
    `app = host=127.0.0.1 port=${portOf('db1')} dbname=app pool_size=4   `,
    `app-ro=dbname='app'  host='127.0.0.1'  port=${portOf('db1')}`,
    `other = host=127.0.0.1 port=${portOf('db1')} dbname=app`,
  ].join('\n');

beforeAll(async () => {
  broker = await connectBroker({ url: testServers().nats, prefix, name: 'test', logger: silentLogger });
});

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

afterAll(async () => {
  await broker?.close();
  await owned.dispose();
});

describe.skipIf(missing !== undefined)('PgBouncer follows the route', () => {
  test.each(['transaction', 'session'] as const)(
    '%s pooling: no client is dropped, no query fails, all land on the new server',
    async (pooling) => {
      const vm = `vm-${pooling}-${Date.now()}`;
      const bouncer = await PgBouncer.start({
        owned,
        databases: databases(),
        settings: { pool_mode: pooling },
      });
      running.push(bouncer);
      const before = await bouncer.readIni();
      await broker.routes.set(vm, { replica: 'db1' });
      const watcher = watch(bouncer, vm);
      const psycopg = await locatePsycopg();
      await expect.poll(() => watcher.stdout, patience).toContain('epoch 1');
      const clients = [
        startNode(bouncer.url('app'), pooling),
        startPython('psycopg2', bouncer.url('app-ro'), psycopg, pooling),
        startPython('psycopg', bouncer.url('app'), psycopg, pooling),
      ];
      // A session keeps its server for as long as it lives.
      const long = new pg.Client({ connectionString: bouncer.url('app') });
      await long.connect();
      try {
        for (let i = 0; i < switches; i++) {
          const replica = i % 2 === 0 ? 'db2' : 'db1';
          await broker.routes.set(vm, { replica });
          await expect
            .poll(() => clients.map((client) => client.last()), { ...patience, message: watcher.stderr })
            .toEqual(clients.map(() => portOf(replica)));
          await long.query('SELECT 1');
        }
      } finally {
        const seen = await Promise.all(clients.map((client) => client.stop()));
        await long.end();
        for (const { counts, failures, split } of seen) {
          expect({ failures, split }).toEqual({ failures: [], split: 0 });
          expect(Object.keys(counts).map(Number).sort()).toEqual([portOf('db1'), portOf('db2')].sort());
        }
      }
      expect(watcher.stderr).toBe('');
      // An even number of switches: it is as it was, byte for byte.
      expect(await bouncer.readIni()).toBe(before);
      const others = (await bouncer.show('DATABASES')).filter((row) => row['name'] === 'other');
      expect(others).toMatchObject([{ port: portOf('db1') }]);
    },
    180_000,
  );

  test('a replica that does not answer is not gone to; PgBouncer away is waited for', async () => {
    const vm = `vm-away-${Date.now()}`;
    const bouncer = await PgBouncer.start({ owned, databases: databases() });
    running.push(bouncer);
    const before = await bouncer.readIni();
    await broker.routes.set(vm, { replica: 'db9' });
    const watcher = watch(bouncer, vm);
    await expect.poll(() => watcher.stderr, patience).toContain('nothing says where replica db9 is');
    expect(await bouncer.readIni()).toBe(before);
    await bouncer.stop();
    await broker.routes.set(vm, { replica: 'db2' });
    await expect.poll(() => watcher.stderr, patience).toContain("PgBouncer's console does not let us in");
    await bouncer.run();
    await expect.poll(() => watcher.stderr, patience).toContain('--pgbouncer, epoch 2: done now');
    const rows = (await bouncer.show('DATABASES')).filter((row) => String(row['name']).startsWith('app'));
    expect(rows.map((row) => row['port'])).toEqual([portOf('db2'), portOf('db2')]);
    expect((await watcher.stop()).status).toBe(0);
  });

  test('a console that is out of reach is asked again until the entry * is taken', async () => {
    const vm = `vm-any-${Date.now()}`;
    const bouncer = await PgBouncer.start({
      owned,
      databases: `* = host=127.0.0.1 port=${portOf('db1')}`,
    });
    const proxy = await TcpProxy.start(bouncer.port);
    running.push(bouncer, { stop: () => proxy.close() });
    proxy.silence();
    const client = startNode(bouncer.url('app'), 'session');
    await broker.routes.set(vm, { replica: 'db2' });
    const admin = bouncer.admin.replace(`:${bouncer.port}/`, `:${proxy.port}/`);
    const watcher = watch(bouncer, vm, { entries: '*', admin });
    await expect.poll(() => watcher.stderr, patience).toContain('does not let us in');
    expect(await bouncer.readIni()).toContain(`* = host=127.0.0.1 port=${portOf('db2')}`);
    expect(client.last()).toBe(portOf('db1'));
    proxy.reset();
    await expect.poll(() => watcher.stderr, patience).toContain('--pgbouncer, epoch 1: done now');
    await expect.poll(() => client.last(), patience).toBe(portOf('db2'));
    expect(await client.stop()).toMatchObject({ failures: [], split: 0 });
  });
});
