import type { Broker } from '../broker/broker.ts';
import { OutgoingTransfers } from '../broker/transfer.ts';
import type { AgentConfig } from '../config/options.ts';
import { ForewarmError } from '../lib/errors.ts';
import type { Service } from '../lib/service.ts';
import { wireVersion } from '../messages/names.ts';
import {
  chunkRequestSchema,
  estimateRequestSchema,
  type ProfileReply,
  profileRequestSchema,
  workSetRequestSchema,
} from '../messages/requests.ts';
import { encodeWorkSet } from '../planning/codec.ts';
import { relationKey, type WorkSet } from '../planning/work-set.ts';
import type { Estimator } from './estimate.ts';
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
}): Service {
  const { config, broker, profiles, workSets, estimator } = options;
  const transfers = new OutgoingTransfers();
  const encoded = new WeakMap<WorkSet, Uint8Array>();

  const handlers = {
    async workset(request: unknown) {
      const { vm, maxAgeMs, sharpen } = workSetRequestSchema.parse(request);
      const workSet = await workSets.of(vm, maxAgeMs);
      // The burst takes as long as it takes; the next round of the migration has its fruit.
      if (sharpen) void profiles.sharpen();
      let bytes = encoded.get(workSet);
      if (bytes === undefined) {
        bytes = await encodeWorkSet(workSet);
        encoded.set(workSet, bytes);
      }
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

  return {
    name: 'requests',
    run: (signal) => broker.requests.serve(config.replica, handlers, signal),
  };
}

function describeProfile(replica: string, profiles: Profiles, workSet: WorkSet, vm: string): ProfileReply {
  const profile = profiles.get(vm);
  if (profile === null) {
    throw new ForewarmError('vm_unknown', `${replica} has seen no statement of VM ${vm} yet`);
  }
  const heats = new Map<string, number[]>();
  for (const relation of workSet.relations) {
    const key = relationKey({ ...relation, fork: 'main' });
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
