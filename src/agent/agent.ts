import type { Broker } from '../broker/broker.ts';
import type { AgentConfig } from '../config/options.ts';
import type { Engine } from '../engines/engine.ts';
import type { Logger } from '../lib/logger.ts';
import { runServices } from '../lib/service.ts';
import type { AgentMetrics } from './agent-metrics.ts';
import { createAnsweringService } from './answer-requests.ts';
import { Device } from './device.ts';
import { createEstimator } from './estimate.ts';
import { createHealthEndpoint } from './health-endpoint.ts';
import { createHeartbeat } from './heartbeat.ts';
import { Intake } from './intake.ts';
import type { AgentParts } from './migration-run.ts';
import { Precedence } from './precedence.ts';
import { Profiles } from './profiles.ts';
import { createReadiness } from './readiness.ts';
import { tellAtScrapes } from './scraped-metrics.ts';
import { ServerWatch } from './server-watch.ts';
import { TargetShare } from './target-share.ts';
import { TrialPause } from './trial-pause.ts';
import { WorkSets } from './work-sets.ts';

/** Part of the connections that may be at the disk at once; the others fill the pool meanwhile. */
const diskShare = 3 / 4;

/** Puts an agent's parts together and runs them until `signal` aborts, then drains. */
export async function serveReplica(
  agent: {
    readonly config: AgentConfig;
    readonly broker: Broker;
    readonly engine: Engine;
    readonly logger: Logger;
    readonly metrics: AgentMetrics;
    /** That of the process, where it has several agents. */
    readonly precedence?: Precedence;
  },
  signal: AbortSignal,
): Promise<void> {
  const { config, broker, engine, logger, metrics, precedence = new Precedence() } = agent;
  const watch = new ServerWatch(engine, logger);
  const trial = new TrialPause(watch, logger);
  const device = new Device({ broker, replica: config.replica, watch, logger });
  await Promise.all([watch.look(), device.restore()]);
  const share = new TargetShare({
    maxPoolFraction: config.warm.maxPoolFraction,
    slots: Math.ceil(diskShare * config.warm.connections),
  });
  const profiles = new Profiles({ config, engine, broker, logger, metrics });
  const parts: AgentParts = {
    ...{ config, broker, engine, watch, trial, device, share, precedence, profiles, logger, metrics },
  };
  const workSets = new WorkSets({ config, engine, profiles });
  const estimator = createEstimator(parts);
  const intake = new Intake(parts);
  tellAtScrapes(parts, intake);
  logger.info({ engine: engine.kind, vms: config.vms.map((rule) => rule.vm) }, 'the agent runs');
  await runServices(
    [
      intake,
      profiles,
      createAnsweringService({ config, broker, profiles, workSets, estimator, precedence, logger, metrics }),
      createHeartbeat({ config, broker, watch, migrationCount: () => intake.count, logger }),
      createHealthEndpoint({
        ...{ config, watch, logger, metrics },
        migrationCount: () => intake.count,
        ready: createReadiness({ config, watch, profiles, intake, routes: broker.routes }),
      }),
    ],
    signal,
  );
  logger.info('the agent has stopped');
}
