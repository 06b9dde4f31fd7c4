import { wireVersion } from '../messages/names.ts';
import type { Profile, ProfileRelation } from '../messages/profile.ts';
import { nameKey } from './relation-name.ts';

/** What one window showed of a VM; block counts are accesses. */
export interface ObservedWindow {
  readonly blocks: number;
  readonly splitBlocks: number;
  readonly relations: readonly {
    readonly ref: {
      readonly database: string;
      readonly schema: string;
      readonly name: string;
      readonly kind: ProfileRelation['kind'];
      readonly parent?: string | undefined;
    };
    readonly oid?: number;
    readonly blocks: number;
  }[];
  readonly unexplained: readonly {
    readonly database: string;
    readonly queryId: string;
    readonly blocks: number;
    readonly reason: string;
  }[];
}

export interface ProfileOptions {
  readonly replica: string;
  readonly vm: string;
  readonly at: Date;
  /** After this long without a new access a weight is half of what it was. */
  readonly halfLifeMs: number;
}

const statementLimit = 50;
/** Of a VM that touches more, those that it touches least are left out. */
const relationLimit = 1_000;
/** A relation that faded below this part of the explained weight is forgotten once a window does not show it. */
const fadedShare = 1e-6;

/** Ages a profile to `at` and adds a window. Shares add up to 1, or the profile has no relations. */
export function addObservation(
  previous: Profile | null,
  seen: ObservedWindow,
  options: ProfileOptions,
): Profile {
  const { replica, vm, at, halfLifeMs } = options;
  const elapsedMs = previous === null ? 0 : Math.max(0, at.getTime() - Date.parse(previous.at));
  const keep = 0.5 ** (elapsedMs / halfLifeMs);

  const weights = new Map<string, ProfileRelation>();
  for (const relation of previous?.relations ?? []) {
    weights.set(nameKey(relation), { ...relation, weight: relation.weight * keep });
  }
  const shown = new Set<string>();
  for (const { ref, oid, blocks } of seen.relations) {
    const { database, schema, name, kind, parent } = ref;
    const key = nameKey(ref);
    shown.add(key);
    weights.set(key, {
      database,
      schema,
      name,
      kind,
      ...(parent === undefined ? {} : { parent }),
      ...(oid === undefined ? {} : { oid }),
      weight: (weights.get(key)?.weight ?? 0) + blocks,
      share: 0,
    });
  }

  const statements = ageStatements(previous, seen, keep);
  const explained = sum([...weights.values()].map((one) => one.weight));
  const kept = [...weights]
    .filter(([key, { weight }]) => weight > 0 && (shown.has(key) || weight >= explained * fadedShare))
    .sort(([a, one], [b, other]) => other.weight - one.weight || a.localeCompare(b))
    .slice(0, relationLimit)
    .map(([, one]) => one);
  const total = sum(kept.map((one) => one.weight));
  const unexplained = (previous?.unexplained.weight ?? 0) * keep + sum(seen.unexplained.map((s) => s.blocks));
  return {
    v: wireVersion,
    replica,
    vm,
    at: at.toISOString(),
    halfLifeMs,
    relations: kept.map((one) => ({ ...one, share: Math.min(1, one.weight / total) })),
    unexplained: {
      weight: unexplained,
      share: part(unexplained, unexplained + explained),
      statements: statements.slice(0, statementLimit),
    },
    splitShare: splitShare(previous, seen, keep),
  };
}

function ageStatements(
  previous: Profile | null,
  seen: ObservedWindow,
  keep: number,
): Profile['unexplained']['statements'] {
  const statements = new Map<string, Profile['unexplained']['statements'][number]>();
  for (const one of previous?.unexplained.statements ?? []) {
    statements.set(JSON.stringify([one.database, one.queryId]), { ...one, weight: one.weight * keep });
  }
  for (const { database, queryId, blocks, reason } of seen.unexplained) {
    const key = JSON.stringify([database, queryId]);
    const weight = (statements.get(key)?.weight ?? 0) + blocks;
    statements.set(key, { database, queryId, weight, reason });
  }
  return [...statements.values()].filter((one) => one.weight >= 1).sort((a, b) => b.weight - a.weight);
}

/** The split part as a running mean, weighed by the accesses behind each side. */
function splitShare(previous: Profile | null, seen: ObservedWindow, keep: number): number {
  const earlier =
    (sum((previous?.relations ?? []).map((one) => one.weight)) + (previous?.unexplained.weight ?? 0)) * keep;
  return part((previous?.splitShare ?? 0) * earlier + seen.splitBlocks, earlier + seen.blocks);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const part = (some: number, all: number): number => (all <= 0 ? 0 : Math.min(1, Math.max(0, some / all)));
