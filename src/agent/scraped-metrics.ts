import { migrationStates } from '../messages/states.ts';
import { agentMetrics as declared } from '../metrics/agent-metrics.ts';
import type { Sample } from '../metrics/instruments.ts';
import { isEnd } from '../migration/transitions.ts';
import type { Intake } from './intake.ts';
import type { AgentParts } from './migration-run.ts';
import { isStale } from './server-watch.ts';

const underWay = migrationStates.filter((state) => !isEnd(state));

/** What is read off the agent's parts at each scrape: their newest look, never one of its own. */
export function tellAtScrapes(parts: AgentParts, intake: Intake): void {
  const { metrics, watch, share, profiles, broker, config } = parts;
  const on = metrics.instruments;
  const flag = (is: boolean): readonly Sample<never>[] => [[{}, is ? 1 : 0]];
  const number = (value: number | null | undefined): readonly Sample<never>[] =>
    value == null ? [] : [[{}, value]];
  const health = () => (isStale(watch) ? null : watch.health);

  on.sampled(declared.database, () => {
    const { kind: engine, version = 'unknown', means = 'unknown' } = watch.identity ?? {};
    return [[{ engine: engine ?? config.database.engine, version, means }, 1]];
  });
  on.sampled(declared.databaseUp, () => flag(health() !== null));
  on.sampled(declared.canWarm, () => (watch.identity === null ? [] : flag(watch.identity.canWarm)));
  on.sampled(declared.bufferPool, () =>
    watch.identity === null ? [] : number(watch.identity.poolBlocks * watch.identity.blockBytes),
  );
  on.sampled(declared.lag, () => {
    const lagMs = health()?.lagMs;
    return lagMs == null ? [] : number(lagMs / 1000);
  });
  on.sampled(declared.replaying, () => {
    const seen = health();
    return seen === null ? [] : flag(seen.replaying || watch.identity?.replica !== true);
  });

  on.sampled(declared.underWay, () =>
    underWay.map((state) => [{ state }, intake.records.filter((record) => record.state === state).length]),
  );
  on.sampled(declared.overdue, () => {
    const late = intake.records.filter(
      ({ state, readyAt, arrivedAt, deadline }) =>
        !isEnd(state) && (readyAt ?? arrivedAt) === undefined && Date.parse(deadline) < Date.now(),
    );
    return number(late.length);
  });
  // In the order of their issue: of several of one VM the newest stands.
  on.sampled(declared.workSet, () =>
    intake.records.map(({ vm, workSet }) => [{ vm: metrics.vmLabel(vm) }, workSet?.bytes ?? Number.NaN]),
  );
  on.sampled(declared.residency, () =>
    intake.records.map(({ vm, residency }) => [{ vm: metrics.vmLabel(vm) }, residency ?? Number.NaN]),
  );

  on.sampled(declared.intents, () => number(broker.intentsWaiting));
  on.sampled(declared.turns, () => number(share.waitingTurns));
  on.sampled(declared.unwritten, () => number(intake.unwritten));
  on.sampled(declared.natsConnected, () => flag(broker.link.connected));
  on.sampled(declared.natsReconnects, () => number(broker.link.reconnects));
  on.sampled(declared.unexplained, () =>
    config.vms.map(({ vm }) => [{ vm }, profiles.get(vm)?.unexplained.share ?? Number.NaN]),
  );
}
