import { systemClock } from '../lib/clock.ts';
import type { MigrationRun } from './migration-run.ts';
import type { ServerWatch } from './server-watch.ts';
import type { Situation } from './warming-round.ts';

const lookAgainMs = 500;

/**
 * Says ready once the target's replay lag is within its limit: a switch must not send an application far
 * back in time. Waits for that until the VM arrives or `stop` aborts, and tells why.
 */
export async function settleReady(
  run: MigrationRun,
  situation: Pick<Situation, 'plan' | 'residency'>,
  stop: AbortSignal,
): Promise<void> {
  const { watch, config } = run.parts;
  const over = AbortSignal.any([stop, run.arrived]);
  let told = '';
  while (!over.aborted) {
    await watch.look();
    const held = whyLagForbids(watch, config.warm.maxLagMs);
    if (held === null) {
      const { skippedBlocks, skippedReason, osBlocks } = situation.plan;
      run.update({ lagMs: watch.health?.lagMs ?? 0 });
      const short = situation.residency < config.warm.goal;
      const percent = (situation.residency * 100).toFixed(1);
      const because =
        skippedBlocks > 0
          ? `: ${skippedReason}`
          : osBlocks > 0
            ? `: ${osBlocks} blocks go to the OS cache`
            : '';
      // What was said of waiting must not stand beside `ready`.
      const caughtUp = told === '' ? {} : { reason: 'the replica has caught up' };
      run.apply(
        'ready',
        short ? { reason: `what can be warmed is, ${percent} % of the work set${because}` } : caughtUp,
      );
      return;
    }
    if (held !== told) run.update({ reason: `warm, but not ready: ${held}` });
    told = held;
    await systemClock.sleep(lookAgainMs, over);
  }
}

/** Why a switch to this server would send an application back in time; null when its lag allows one. */
export function whyLagForbids({ health, identity }: ServerWatch, maxLagMs: number): string | null {
  if (health === null) return 'the database does not answer';
  if (identity?.replica !== true) return null;
  if (!health.replaying) return 'the replica does not replay';
  if (health.lagMs === null) return 'the replay lag is unknown';
  return health.lagMs > maxLagMs ? `the replica is behind by more than its limit of ${maxLagMs} ms` : null;
}
