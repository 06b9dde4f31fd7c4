import type { Routes } from '../broker/routes.ts';
import type { AgentConfig } from '../config/options.ts';
import type { MigrationRecord } from '../messages/record.ts';
import type { Route } from '../messages/route.ts';
import type { Intake } from './intake.ts';
import { judge, type Readiness } from './judge-readiness.ts';
import { KnownRoutes } from './known-routes.ts';
import type { Profiles } from './profiles.ts';
import { whyLagForbids } from './ready.ts';
import { isStale, type ServerWatch } from './server-watch.ts';

/** What `GET /ready/<vm>` answers. */
export interface ReadyAnswer extends Readiness {
  readonly vm: string;
  readonly replica: string;
  readonly lagMs: number | null;
  readonly route: Pick<Route, 'replica' | 'epoch'> | null;
  readonly migration?: { readonly id: string; readonly state: string };
  readonly residency?: number;
}

/**
 * Tells whether this replica is warm enough for a VM, from what the agent knows: nobody waits for the database,
 * and for NATS a quarter of a second at most. Never rejects.
 */
export function createReadiness(parts: {
  readonly config: AgentConfig;
  readonly watch: ServerWatch;
  readonly profiles: Profiles;
  readonly intake: Intake;
  readonly routes: Pick<Routes, 'get'>;
}): (vm: string) => Promise<ReadyAnswer> {
  const { config, watch, profiles, intake } = parts;
  const routes = new KnownRoutes(parts.routes);
  return async (vm) => {
    // For the next one who asks.
    void watch.look();
    const route = await routes.get(vm);
    const run = intake.migrationOf(vm);
    const record = run?.record;
    const answers = watch.health !== null && !isStale(watch);
    const verdict = judge({
      vm,
      replica: config.replica,
      databaseAnswers: answers,
      lagForbids: whyLagForbids(watch, config.warm.maxLagMs),
      route,
      migration: record,
      warm: record !== undefined && isWarm(record, run?.readyResidency, config.warm.goal),
      readsHere: profiles.readsHere(vm),
    });
    return {
      vm,
      replica: config.replica,
      ...verdict,
      lagMs: answers ? (watch.health?.lagMs ?? null) : null,
      route: route ? { replica: route.replica, epoch: route.epoch } : null,
      ...(record === undefined ? {} : { migration: { id: record.id, state: record.state } }),
      ...(record?.residency === undefined ? {} : { residency: record.residency }),
    };
  };
}

/**
 * Ready once does not mean ready still: a server that was restarted in the hold is cold until it is read again.
 * What a round of the hold has still to read, which is little, does not count.
 */
function isWarm(
  { readyAt, residency, plan }: MigrationRecord,
  readyResidency: number | undefined,
  goal: number,
) {
  if (readyAt === undefined || residency === undefined) return readyAt !== undefined;
  // Where another process of the agent said ready, only the goal is known; what the budget left out cannot reach it.
  const needed = readyResidency ?? ((plan?.skippedBlocks ?? 0) > 0 ? 0 : goal);
  return residency >= Math.min(goal, needed) / 2;
}
