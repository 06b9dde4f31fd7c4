import { randomUUID } from 'node:crypto';
import type { Broker } from '../broker/broker.ts';
import { heartbeatTtlMs } from '../broker/topology.ts';
import type { AgentConfig } from '../config/options.ts';
import { systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Service } from '../lib/service.ts';
import { forewarmVersion } from '../lib/version.ts';
import type { Heartbeat } from '../messages/heartbeat.ts';
import { wireVersion } from '../messages/names.ts';
import type { ServerWatch } from './server-watch.ts';

const intervalMs = heartbeatTtlMs / 4;

/** Publishes the agent's sign of life, and takes it back when the agent stops. */
export function createHeartbeat(options: {
  readonly config: AgentConfig;
  readonly broker: Broker;
  readonly watch: ServerWatch;
  readonly migrationCount: () => number;
  readonly logger: Logger;
}): Service {
  const { config, broker, watch, logger } = options;
  const startedAt = systemClock.now().toISOString();
  const instance = randomUUID();
  let rivalSeen = false;

  const describe = (): Heartbeat => {
    const { identity, health } = watch;
    return {
      v: wireVersion,
      replica: config.replica,
      at: systemClock.now().toISOString(),
      startedAt,
      instance,
      agentVersion: forewarmVersion,
      engine: identity?.kind ?? config.database.engine,
      version: identity?.version ?? 'unknown',
      ...(identity === null ? {} : { systemId: identity.systemId }),
      databases: [...(identity?.databases ?? config.database.databases)],
      vms: [...new Set(config.vms.map((rule) => rule.vm))],
      ...(identity === null
        ? {}
        : { pool: { bytes: identity.poolBlocks * identity.blockBytes, blockBytes: identity.blockBytes } }),
      ...(health === null || health.lagMs === null ? {} : { lagMs: health.lagMs }),
      ...(health === null ? {} : { load: { active: health.active, ioWaiting: health.ioWaiting } }),
      canWarm: identity?.canWarm === true && health !== null,
      degraded: health === null ? ['the database does not answer'] : [...(identity?.degraded ?? [])],
      migrations: options.migrationCount(),
    };
  };

  let revision: number | null = null;
  const beat = async () => {
    if (revision !== null) {
      revision = await broker.replicas.replace(config.replica, describe(), revision);
      if (revision !== null) return;
    }
    // It has expired, or somebody else wrote it.
    const last = (await broker.replicas.get(config.replica))?.value;
    if (!rivalSeen && last !== undefined && last['instance'] !== instance && last.at > startedAt) {
      rivalSeen = true;
      logger.error(`another agent serves replica ${config.replica} too: stop one of them`);
    }
    revision = await broker.replicas.put(config.replica, describe());
  };

  return {
    name: 'heartbeat',
    async run(signal) {
      while (!signal.aborted) {
        await watch.look();
        await beat().catch((error) =>
          logger.warn({ error: String(error) }, 'no heartbeat could be published'),
        );
        await systemClock.sleep(intervalMs, signal);
      }
      await broker.replicas.delete(config.replica).catch(() => {});
    },
  };
}
