import { expect, test } from 'vitest';
import type { FollowRoute, RouteListener } from '../../../src/broker/route-feed.ts';
import type { Route } from '../../../src/messages/route.ts';
import { followInOrder, type RouteFollowing, routesNow } from '../../../src/routing/route-watcher.ts';

const route = (epoch: number): Route => ({ v: 1, replica: `db${epoch}`, epoch, at: '2030-01-01T00:00:00Z' });

/** Stands in for NATS's feed, whose order of calls it makes: what is told here is the test's to say. */
class ScriptedFeed {
  #listener!: RouteListener;

  readonly follow: FollowRoute = async (listener, signal) => {
    this.#listener = listener;
    this.onFollow();
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve());
      if (signal.aborted) resolve();
    });
  };

  onFollow = () => {};

  /** A watch that begins: what the bucket keeps, of which the last one counts. */
  watch(...kept: (number | 'deleted')[]): void {
    this.#listener.begun?.();
    for (const one of kept) this.tell(one);
    this.#listener.current();
  }

  tell(one: number | 'deleted'): void {
    if (one === 'deleted') this.#listener.deleted?.();
    else this.#listener.route(route(one));
  }

  lose(message: string): void {
    this.#listener.lost(new Error(message));
  }
}

function follow(options: Partial<RouteFollowing> = {}) {
  const feed = new ScriptedFeed();
  const told: number[] = [];
  const notes: string[] = [];
  void followInOrder(
    {
      follow: feed.follow,
      onRoute: ({ epoch }) => told.push(epoch),
      onNone: () => notes.push('none'),
      onAway: (error) => notes.push(`away: ${error.message}`),
      onBack: () => notes.push('back'),
      onIgnored: ({ epoch }) => notes.push(`ignored ${epoch}`),
      ...options,
    },
    new AbortController().signal,
  );
  return { feed, told, notes };
}

test('tells the present route, then each that follows, once', () => {
  const { feed, told, notes } = follow();
  feed.watch(1, 2, 3);
  feed.tell(4);
  feed.tell(4);
  feed.tell(5);
  expect(told).toEqual([3, 4, 5]);
  expect(notes).toEqual([]);
});

test('a new watch tells what was missed, and nothing twice', () => {
  const { feed, told, notes } = follow();
  feed.watch(1);
  feed.watch(1, 2, 3, 4);
  feed.watch(1, 2, 3, 4);
  feed.tell(5);
  expect(told).toEqual([1, 2, 3, 4, 5]);
  expect(notes).toEqual([]);
});

test('after a restart goes on after the epoch that was done', () => {
  const behind = follow({ after: 2 });
  behind.feed.watch(1, 2, 3, 'deleted', 4);
  expect(behind.told).toEqual([3, 4]);
  const level = follow({ after: 4 });
  level.feed.watch(1, 2, 3, 4);
  expect(level.told).toEqual([4]);
});

test('NATS away and no route are told once; epochs that go back are ignored', () => {
  const { feed, told, notes } = follow();
  feed.watch();
  feed.watch();
  feed.tell(7);
  feed.lose('no answer');
  feed.lose('still none');
  feed.watch(7);
  feed.watch(2);
  feed.tell(2);
  feed.tell(8);
  feed.tell('deleted');
  feed.watch(7, 8, 'deleted');
  expect(told).toEqual([7, 8]);
  expect(notes).toEqual(['none', 'away: no answer', 'back', 'ignored 2', 'none']);
});

test('the routes of now, once: those that were missed and the present one; nothing without one', async () => {
  const now = async (after: number | undefined, script: (feed: ScriptedFeed) => void) => {
    const feed = new ScriptedFeed();
    feed.onFollow = () => script(feed);
    const found = await routesNow({ follow: feed.follow, after }, new AbortController().signal);
    return found.map(({ epoch }) => epoch);
  };
  expect(await now(undefined, (feed) => feed.watch(1, 2, 3))).toEqual([3]);
  expect(await now(1, (feed) => feed.watch(1, 2, 3))).toEqual([2, 3]);
  expect(await now(5, (feed) => feed.watch(1, 2, 3))).toEqual([]);
  expect(await now(undefined, (feed) => feed.watch())).toEqual([]);
  await expect(now(undefined, (feed) => feed.lose('no answer'))).rejects.toThrow('no answer');
});
