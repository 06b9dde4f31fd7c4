import type { MigrationState } from './states.ts';

/** Every subject, stream and bucket name, under one prefix. */
export interface Subjects {
  readonly stream: string;
  readonly streamSubjects: readonly string[];
  intent(target: string): string;
  event(migration: string, state: MigrationState): string;
  eventsOf(migration: string): string;
  readonly allEvents: string;
  /** Request/reply with one agent. */
  request(replica: string, kind: RequestKind): string;
  requestsOf(replica: string): string;
  consumer(replica: string): string;
  readonly buckets: Readonly<Record<BucketName, string>>;
}

export type RequestKind = 'workset' | 'chunk' | 'estimate' | 'profile';
export type BucketName = 'migrations' | 'routes' | 'replicas' | 'profiles' | 'vms' | 'active' | 'devices';

export function createSubjects(prefix = 'forewarm'): Subjects {
  const bucket = (name: BucketName) => `${prefix}_${name}`;
  return {
    stream: prefix.toUpperCase(),
    streamSubjects: [`${prefix}.intent.*`, `${prefix}.event.*.*`],
    intent: (target) => `${prefix}.intent.${target}`,
    event: (migration, state) => `${prefix}.event.${migration}.${state}`,
    eventsOf: (migration) => `${prefix}.event.${migration}.*`,
    allEvents: `${prefix}.event.*.*`,
    request: (replica, kind) => `${prefix}.agent.${replica}.${kind}`,
    requestsOf: (replica) => `${prefix}.agent.${replica}.*`,
    consumer: (replica) => `agent-${replica}`,
    buckets: {
      migrations: bucket('migrations'),
      routes: bucket('routes'),
      replicas: bucket('replicas'),
      profiles: bucket('profiles'),
      vms: bucket('vms'),
      active: bucket('active'),
      devices: bucket('devices'),
    },
  };
}
