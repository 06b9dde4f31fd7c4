import { expect, test, vi } from 'vitest';
import type { Route } from '../../../src/messages/route.ts';
import { followRoute, type RouteFollowing } from '../../../src/routing/route-watcher.ts';

const route = (epoch: number): Route => ({ v: 1, replica: `db${epoch}`, epoch, at: '2030-01-01T00:00:00Z' });

/** Routes as NATS gives them; `watched` are told by the watch, which may be dead. */
class ScriptedRoutes {
  present: Route | null = null;
  kept: Route[] = [];
  failure: Error | undefined;
  #tell: ((route: Route) => void) | undefined;

  set(epoch: number, how: { watched: boolean } = { watched: true }): void {
    this.present = route(epoch);
    this.kept.push(this.present);
    if (how.watched) this.#tell?.(this.present);
  }

  async get(): Promise<Route | null> {
    if (this.failure) throw this.failure;
    return this.present;
  }

  async history(): Promise<Route[]> {
    if (this.failure) throw this.failure;
    return this.kept;
  }

  async *watch(_: string, signal: AbortSignal): AsyncGenerator<Route> {
    const queue: Route[] = [];
    let wake = () => {};
    this.#tell = (one) => {
      queue.push(one);
      wake();
    };
    signal.addEventListener('abort', () => wake());
    while (!signal.aborted) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
}

function follow(routes: ScriptedRoutes, options: Partial<RouteFollowing> = {}) {
  const told: number[] = [];
  const notes: string[] = [];
  const stop = new AbortController();
  const end = followRoute(
    {
      ...{ routes, vm: 'app1', pollMs: 5 },
      onRoute: ({ epoch }) => told.push(epoch),
      onNone: () => notes.push('none'),
      onAway: (error) => notes.push(`away: ${error.message}`),
      onBack: () => notes.push('back'),
      onIgnored: ({ epoch }) => notes.push(`ignored ${epoch}`),
      ...options,
    },
    stop.signal,
  );
  return {
    told,
    notes,
    async stop() {
      stop.abort();
      await end;
    },
  };
}

test('tells the present route, then each that follows, once', async () => {
  const routes = new ScriptedRoutes();
  routes.set(3);
  const { told, stop } = follow(routes);
  await vi.waitFor(() => expect(told).toEqual([3]));
  routes.set(4);
  routes.set(5);
  await vi.waitFor(() => expect(told).toEqual([3, 4, 5]));
  await stop();
});

test('a watch that is dead costs nothing: the looks see the change, and what was missed is told too', async () => {
  const routes = new ScriptedRoutes();
  routes.set(1);
  const { told, stop } = follow(routes);
  await vi.waitFor(() => expect(told).toEqual([1]));
  for (const epoch of [2, 3, 4]) routes.set(epoch, { watched: false });
  await vi.waitFor(() => expect(told).toEqual([1, 2, 3, 4]));
  await stop();
});

test('after a restart goes on after the epoch that was done', async () => {
  const routes = new ScriptedRoutes();
  for (const epoch of [1, 2, 3, 4]) routes.set(epoch);
  const { told, stop } = follow(routes, { after: 2 });
  await vi.waitFor(() => expect(told).toEqual([3, 4]));
  await stop();
  const again = follow(routes, { after: 4 });
  await vi.waitFor(() => expect(again.told).toEqual([4]));
  await again.stop();
});

test('NATS away and no route are told once; epochs that go back are ignored', async () => {
  const routes = new ScriptedRoutes();
  const { told, notes, stop } = follow(routes);
  await vi.waitFor(() => expect(notes).toEqual(['none']));
  routes.set(7);
  await vi.waitFor(() => expect(told).toEqual([7]));
  routes.failure = new Error('no answer');
  await vi.waitFor(() => expect(notes).toContain('away: no answer'));
  routes.failure = undefined;
  await vi.waitFor(() => expect(notes).toContain('back'));
  routes.set(2);
  await vi.waitFor(() => expect(notes).toContain('ignored 2'));
  routes.set(8);
  await vi.waitFor(() => expect(told).toEqual([7, 8]));
  await stop();
  expect(notes).toEqual(['none', 'away: no answer', 'back', 'ignored 2']);
});
