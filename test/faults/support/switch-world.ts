import { setTimeout as delay } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import { type Broker, connectBroker } from '../../../src/broker/broker.ts';
import type { Notice, PoolCounters, PoolRoute, SwitchEvent } from '../../../src/index.ts';
import { silentLogger } from '../../../src/lib/logger.ts';

/** What both kinds of switching pool have, as far as these tests look at it. */
export interface AnyPool {
  readonly route: PoolRoute;
  readonly counters: PoolCounters;
  on(event: 'switch', listener: (event: SwitchEvent) => void): unknown;
  on(event: 'notice', listener: (notice: Notice) => void): unknown;
}

/** Routes of one test, under a prefix of its own. */
export class RouteDesk {
  readonly broker: Broker;
  readonly prefix: string;

  private constructor(broker: Broker, prefix: string) {
    this.broker = broker;
    this.prefix = prefix;
  }

  static async open(url: string, prefix: string): Promise<RouteDesk> {
    return new RouteDesk(await connectBroker({ url, prefix, name: 'test', logger: silentLogger }), prefix);
  }

  async to(replica: string, vm = 'app1'): Promise<number> {
    return (await this.broker.routes.set(vm, { replica })).epoch;
  }

  async close(): Promise<void> {
    await this.broker.close();
  }
}

/** Everything that a pool said, in order. */
export class Diary {
  readonly switches: SwitchEvent[] = [];
  readonly notices: Notice[] = [];

  constructor(pool: AnyPool) {
    pool.on('switch', (event) => this.switches.push(event));
    pool.on('notice', (notice) => this.notices.push(notice));
  }

  get phases(): string[] {
    return this.switches.map(({ phase, to }) => `${phase} ${to}`);
  }

  noticed(kind: Notice['kind']): boolean {
    return this.notices.some((notice) => notice.kind === kind);
  }

  async untilNoticed(kind: Notice['kind'], timeout = 15_000): Promise<void> {
    await vi.waitFor(() => expect(this.notices.map((notice) => notice.kind)).toContain(kind), {
      timeout,
      interval: 10,
    });
  }

  async untilPhase(phase: string, timeout = 15_000): Promise<void> {
    await vi.waitFor(() => expect(this.phases).toContain(phase), { timeout, interval: 5 });
  }
}

export async function untilAt(pool: AnyPool, replica: string, timeout = 15_000): Promise<void> {
  await vi.waitFor(() => expect(pool.route.replica).toBe(replica), { timeout, interval: 2 });
}

/** Clients that work until they are told to stop, with a breath between; the longest time that one thing took. */
export async function underLoad(
  clients: number,
  work: (client: number, step: number) => Promise<void>,
  meanwhile: () => Promise<void>,
): Promise<{ steps: number; longestMs: number; errors: unknown[] }> {
  let stop = false;
  let steps = 0;
  let longestMs = 0;
  const errors: unknown[] = [];
  const loops = Array.from({ length: clients }, async (_, client) => {
    for (let step = 0; !stop; step++) {
      const startMs = performance.now();
      try {
        await work(client, step);
      } catch (error) {
        errors.push(error);
        if (errors.length > 20) return;
      }
      longestMs = Math.max(longestMs, performance.now() - startMs);
      steps += 1;
      await delay(5);
    }
  });
  try {
    await meanwhile();
  } finally {
    stop = true;
    await Promise.all(loops);
  }
  return { steps, longestMs, errors };
}

/** Back and forth between two replicas; each switch has swapped before the next is asked for. */
export async function backAndForth(
  pool: AnyPool,
  desk: RouteDesk,
  options: { times: number; replicas: readonly [string, string] },
): Promise<void> {
  for (let count = 1; count <= options.times; count++) {
    const replica = options.replicas[count % 2]!;
    await desk.to(replica);
    await untilAt(pool, replica, 30_000);
  }
}
