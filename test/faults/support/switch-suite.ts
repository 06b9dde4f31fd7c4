import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, vi } from 'vitest';
import { type NatsServer, startNats } from '../../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../../src/lab/owned-processes.ts';
import { mysqlKinds } from '../../integration/mysql-kinds.ts';
import {
  names,
  type PoolExtras,
  type Site,
  type SiteKind,
  type SitePool,
  startSite,
} from './switch-sites.ts';
import { Diary, RouteDesk } from './switch-world.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** What a test of switching pools works with: servers of its file, and routes, pools and proxies of its own. */
export class SwitchSuite {
  readonly kind: SiteKind;
  readonly #owned = new OwnedProcesses({ handleSignals: false });
  readonly #pools: SitePool[] = [];
  readonly #proxies: TcpProxy[] = [];
  #servers: { readonly site: Site; readonly nats: NatsServer } | undefined;
  #desk: RouteDesk | undefined;
  #count = 0;

  constructor(kind: SiteKind) {
    this.kind = kind;
  }

  get site(): Site {
    return this.#servers!.site;
  }

  get nats(): NatsServer {
    return this.#servers!.nats;
  }

  /** Sets the route of `app1`. */
  get desk(): RouteDesk {
    return this.#desk!;
  }

  /** A pool of `app1`, which is ended after the test. */
  open(options: PoolExtras = {}): { pool: SitePool; diary: Diary } {
    const retry = { firstMs: 100, maxMs: 400 };
    const own = { vm: 'app1', nats: this.nats.url, prefix: this.desk.prefix, retry };
    const pool = this.site.pool({ ...own, ...options });
    this.#pools.push(pool);
    return { pool, diary: new Diary(pool) };
  }

  async proxyTo(port: number): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(port);
    this.#proxies.push(proxy);
    return proxy;
  }

  async start(): Promise<void> {
    const owned = this.#owned;
    const [site, nats] = await Promise.all([startSite(this.kind, owned), startNats({ owned })]);
    this.#servers = { site, nats };
  }

  async begin(): Promise<void> {
    this.#desk = await RouteDesk.open(this.nats.url, `t${++this.#count}`);
  }

  /** Fails when a pool has left a connection. */
  async finish(): Promise<void> {
    // Some have ended in their test.
    await Promise.allSettled(this.#pools.splice(0).map((pool) => pool.end()));
    for (const proxy of this.#proxies.splice(0)) await proxy.close();
    await this.desk.close();
    for (const name of names)
      await vi.waitFor(async () => expect(await this.site.sessions(name)).toBe(0), {
        timeout: 10_000,
        interval: 20,
      });
  }

  async stop(): Promise<void> {
    await this.#owned.dispose();
  }
}

/** The same tests on each kind of server that this run has. */
export function describeSwitching(what: string, tests: (suite: SwitchSuite) => void): void {
  const kinds: SiteKind[] = ['postgres', ...mysqlKinds];
  describe.each(kinds)(`${what} on %s`, (kind) => {
    const suite = new SwitchSuite(kind);
    beforeAll(() => suite.start(), 600_000);
    afterAll(() => suite.stop());
    beforeEach(() => suite.begin());
    afterEach(() => suite.finish());
    tests(suite);
  });
}
