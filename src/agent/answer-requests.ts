import type { Broker } from '../broker/broker.ts';
import type { RequestHandler } from '../broker/requests.ts';
import { OutgoingTransfers } from '../broker/transfer.ts';
import type { AgentConfig } from '../config/options.ts';
import { systemClock } from '../lib/clock.ts';
import { describeError, ForewarmError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Service } from '../lib/service.ts';
import { wireVersion } from '../messages/names.ts';
import {
  chunkRequestSchema,
  estimateRequestSchema,
  type ProfileReply,
  profileRequestSchema,
  workSetRequestSchema,
} from '../messages/requests.ts';
import type { RequestKind } from '../messages/subjects.ts';
import { blockCount } from '../planning/block-ranges.ts';
import { encodeWorkSet } from '../planning/codec.ts';
import { relationKey, type WorkSet } from '../planning/work-set.ts';
import type { AgentMetrics } from './agent-metrics.ts';
import type { Estimator } from './estimate.ts';
import type { Precedence } from './precedence.ts';
import type { Profiles } from './profiles.ts';
import type { WorkSets } from './work-sets.ts';

/** A profile's figures may be this old. */
const profileAgeMs = 5_000;

/** Answers what other agents and commands ask of this replica. */
export function createAnsweringService(options: {
  readonly config: AgentConfig;
  readonly broker: Broker;
  readonly profiles: Profiles;
  readonly workSets: WorkSets;
  readonly estimator: Estimator;
  readonly precedence: Precedence;
  readonly logger: Logger;
  readonly metrics: AgentMetrics;
}): Service {
  const { config, broker, profiles, workSets, estimator, precedence, logger, metrics } = options;
  const transfers = new OutgoingTransfers();
  const encoded = new WeakMap<WorkSet, Uint8Array>();

  const handlers = {
    async workset(request: unknown) {
      const { vm, maxAgeMs, sharpen, migration, target } = workSetRequestSchema.parse(request);
      const startMs = systemClock.monotonicMs();
      await precedence.turn('begun');
      const workSet = await workSets.of(vm, maxAgeMs);
      // The burst takes as long as it takes; the next round of the migration has its fruit.
      if (sharpen) void profiles.sharpen(vm);
      let bytes = encoded.get(workSet);
      if (bytes === undefined) {
        bytes = await encodeWorkSet(workSet);
        encoded.set(workSet, bytes);
      }
      // The first of a migration; the hold's go on every few seconds.
      const level = migration !== undefined && sharpen ? 'info' : 'debug';
      const figures = {
        relations: workSet.relations.length,
        blocks: workSet.relations.reduce((sum, { ranges }) => sum + blockCount(ranges), 0),
        bytes: bytes.length,
        ms: Math.round(systemClock.monotonicMs() - startMs),
      };
      logger[level]({ migration, vm, target, ...figures }, 'gave the work set');
      return { v: wireVersion, ...transfers.offer(bytes, broker.requests.payloadLimit, workSet.takenAt) };
    },
    async chunk(request: unknown) {
      const { token, chunk } = chunkRequestSchema.parse(request);
      return transfers.piece(token, chunk);
    },
    async estimate(request: unknown) {
      const { vm, source } = estimateRequestSchema.parse(request);
      return await estimator.estimate(vm, source);
    },
    async profile(request: unknown) {
      const { vm } = profileRequestSchema.parse(request);
      return describeProfile(config.replica, profiles, await workSets.of(vm, profileAgeMs), vm);
    },
  };

  const counted = (kind: RequestKind, handler: RequestHandler): RequestHandler => {
    return async (request) => {
      try {
        const answer = await handler(request);
        metrics.request(kind, 'ok');
        return answer;
      } catch (error) {
        metrics.request(kind, describeError(error).code);
        throw error;
      }
    };
  };

  return {
    name: 'requests',
    run: (signal) =>
      broker.requests.serve(
        config.replica,
        {
          workset: counted('workset', handlers.workset),
          chunk: counted('chunk', handlers.chunk),
          estimate: counted('estimate', handlers.estimate),
          profile: counted('profile', handlers.profile),
        },
        signal,
      ),
  };
}

function describeProfile(replica: string, profiles: Profiles, workSet: WorkSet, vm: string): ProfileReply {
  const profile = profiles.get(vm);
  if (profile === null) {
    throw new ForewarmError('vm_unknown', `${replica} has seen no statement of VM ${vm} yet`);
  }
  const heats = new Map<string, number[]>();
  for (const relation of workSet.relations) {
    const key = relationKey({ ...relation, name: relation.partOf ?? relation.name, fork: 'main' });
    const counts = heats.get(key) ?? [0, 0, 0, 0, 0, 0];
    heats.set(key, counts);
    const { lengths, heats: heat } = relation.ranges;
    for (let i = 0; i < lengths.length; i++) counts[heat[i]!]! += lengths[i]!;
  }
  return {
    v: wireVersion,
    replica,
    vm,
    at: profile.at,
    blockBytes: workSet.blockBytes,
    relations: profile.relations.map((relation) => {
      const { database, schema, name, kind, share } = relation;
      const blocksByHeat = heats.get(relationKey({ database, schema, name, kind })) ?? [0, 0, 0, 0, 0, 0];
      const residentBlocks = blocksByHeat.reduce((sum, count) => sum + count, 0) - blocksByHeat[0]!;
      return { database, schema, name, kind, share, residentBlocks, blocksByHeat };
    }),
    unexplainedShare: profile.unexplained.share,
  };
}
