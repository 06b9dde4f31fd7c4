import type { FollowRoute } from '../../broker/route-feed.ts';
import { ForewarmError } from '../../lib/errors.ts';
import type { Route } from '../../messages/route.ts';
import { followInOrder, routesNow } from '../route-watcher.ts';
import type { Delivery } from './deliver.ts';
import type { DoneEpoch } from './done-epoch.ts';

export interface VmWatch {
  readonly follow: FollowRoute;
  readonly vm: string;
  readonly delivery: Delivery;
  readonly done: DoneEpoch;
  readonly onRoute: (route: Route) => void;
  /** What a person should know: that NATS is away, or that a route was ignored. */
  readonly onNote: (text: string) => void;
}

/** Brings the outputs to the VM's route and to each that follows, until `signal` aborts. */
export async function watchVm(watch: VmWatch, signal: AbortSignal): Promise<void> {
  const { follow, vm, delivery, done, onNote } = watch;
  let last = '';
  const following = followInOrder(
    {
      follow,
      after: done.epoch,
      onRoute: (route) => {
        last = route.replica;
        watch.onRoute(route);
        delivery.push(route);
      },
      onNone: () => onNote(`VM ${vm} has no route yet; waiting for \`forewarm route set ${vm} REPLICA\``),
      onAway: (error) =>
        onNote(
          `${error.message}; ${last === '' ? 'waiting, and all stays as it is' : `${vm} stays at ${last}`}`,
        ),
      onBack: () => onNote('NATS answers again'),
      onIgnored: (route, epoch) =>
        onNote(
          `ignored the route to ${route.replica}: its epoch ${route.epoch} lies before ${epoch}; ` +
            'where NATS has lost its data, remove the state file and start again',
        ),
    },
    signal,
  );
  await Promise.all([following, delivery.run(signal)]);
}

/**
 * Brings the outputs to the present route, and the command to those that it missed. Rejects with `vm_unknown` without
 * a route, and with a `broker_*` error when NATS does not answer.
 */
export async function deliverOnce(watch: VmWatch, signal: AbortSignal): Promise<void> {
  const { follow, vm, delivery, done } = watch;
  let before: Route | undefined;
  const onIgnored = (route: Route) => {
    before = route;
  };
  const found = await routesNow({ follow, after: done.epoch, onIgnored }, signal);
  const present = found.at(-1);
  if (present === undefined) {
    throw new ForewarmError(
      'vm_unknown',
      before === undefined
        ? `VM ${vm} has no route`
        : `the route of ${vm} has epoch ${before.epoch}, before ${done.epoch} of the state file`,
      {
        hint: `Set it with \`forewarm route set ${vm} REPLICA\`, or remove a state file that is out of date.`,
      },
    );
  }
  watch.onRoute(present);
  await delivery.once(found, signal);
}
