/** What differs between PostgreSQL's major versions for the warming side, as data. */
export interface PostgresFeatures {
  /** pg_buffercache_usage_counts() and _summary(): the pool's counts without a walk. */
  readonly usageCounts: boolean;
}

export const oldestVersion = 140_000;

const since: readonly (readonly [versionNum: number, feature: keyof PostgresFeatures])[] = [
  [160_000, 'usageCounts'],
];

/** The features of a server by its `server_version_num`. */
export function featuresOf(versionNum: number): PostgresFeatures {
  const features = { usageCounts: false };
  for (const [from, feature] of since) if (versionNum >= from) features[feature] = true;
  return features;
}
