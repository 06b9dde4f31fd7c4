import type { Broker } from '../broker/broker.ts';
import { pairKey } from '../broker/bucket.ts';
import { fetchWorkSetBytes } from '../broker/transfer.ts';
import { type ErrorCode, ForewarmError } from '../lib/errors.ts';
import type { Profile } from '../messages/profile.ts';
import { emptyRanges } from '../planning/block-ranges.ts';
import { decodeWorkSet } from '../planning/codec.ts';
import type { WorkSet } from '../planning/work-set.ts';
import { plainShare } from '../planning/worth-warming.ts';

export interface SourceAnswer {
  readonly workSet: WorkSet;
  readonly origin: 'agent' | 'profile';
  /** Why it is a profile. */
  readonly reason?: string;
}

/** What makes the published profile serve instead of the source's agent. */
const awayCodes: ReadonlySet<ErrorCode> = new Set([
  'replica_unknown',
  'source_away',
  'broker_unreachable',
  'database_unreachable',
  'no_work_set',
  'message_malformed',
  'internal',
]);

/**
 * A VM's work set from its source's agent, or names and shares from the last published profile when the
 * agent is away. Rejects with `vm_unknown`, `no_work_set`, or `broker_unreachable`.
 */
export async function askSource(
  broker: Broker,
  request: {
    readonly source: string;
    readonly vm: string;
    readonly sharpen: boolean;
    readonly maxAgeMs: number;
    readonly migration?: string;
    readonly target?: string;
  },
  timeoutMs: number,
): Promise<SourceAnswer> {
  const { source, ...rest } = request;
  try {
    const bytes = await fetchWorkSetBytes(broker.requests, source, rest, timeoutMs);
    return { workSet: await decodeWorkSet(bytes), origin: 'agent' };
  } catch (error) {
    const away = error instanceof ForewarmError && awayCodes.has(error.code);
    if (!away && !(error instanceof ForewarmError && error.code === 'vm_unknown')) throw error;
    // Rejects while NATS itself is away: that passes, and is no lack of a work set.
    const profile = await broker.profiles.get(pairKey(source, request.vm));
    if (profile !== null) {
      const reason = `${(error as Error).message}; its profile of ${profile.value.at} serves`;
      return { workSet: workSetFromProfile(profile.value), origin: 'profile', reason };
    }
    if (!away) throw error;
    throw new ForewarmError(
      'no_work_set',
      `${(error as Error).message}, and no profile of ${request.vm} at ${source} was published`,
      {
        hint: `Start the agent of ${source}, or let it watch the VM for a minute first.`,
        cause: error,
      },
    );
  }
}

/** Names and shares alone: no blocks are known, nor how large what is touched seldom is. */
function workSetFromProfile(profile: Profile): WorkSet {
  const greatest = Math.max(...profile.relations.map(({ share }) => share));
  return {
    vm: profile.vm,
    source: profile.replica,
    systemId: '',
    blockBytes: 8192,
    takenAt: profile.at,
    blocksKnown: false,
    secondTier: 'unknown',
    relations: profile.relations
      .filter(({ share }) => share >= plainShare * greatest)
      .map(({ database, schema, name, kind, parent, share }) => ({
        database,
        schema,
        name,
        kind,
        ...(parent === undefined ? {} : { parent }),
        fork: 'main',
        filenode: '',
        sizeBlocks: 0,
        share,
        ranges: emptyRanges,
      })),
  };
}
