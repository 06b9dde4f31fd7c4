import type { MigrationRecord } from '../messages/record.ts';
import type { Route } from '../messages/route.ts';
import { movedOn } from '../migration/moved-on.ts';

/** Why a replica is, or is not, warm enough for a VM. */
export type ReadinessReason =
  /** 200: the VM reads here by its route, or by what is seen of it where nobody has set a route. */
  | 'route_here'
  | 'reads_here'
  /** 200: a migration to here is held warm, or its VM has come. */
  | 'migration_ready'
  | 'migration_arrived'
  /** 503 */
  | 'warming'
  | 'no_migration'
  | 'lag'
  | 'database_unreachable';

export interface Readiness {
  readonly ready: boolean;
  readonly reason: ReadinessReason;
  /** The reason as a sentence. */
  readonly message: string;
}

export interface ReadinessFacts {
  readonly vm: string;
  readonly replica: string;
  readonly databaseAnswers: boolean;
  /** Why a switch to here would go back in time; null when it would not. */
  readonly lagForbids: string | null;
  /** Null: none is set. Undefined: NATS has not said. */
  readonly route: Route | null | undefined;
  /** The VM's newest migration to here that is under way. */
  readonly migration: Pick<MigrationRecord, 'id' | 'state' | 'residency' | 'arrivedAt'> | undefined;
  /** Whether what it was called ready for is still resident. */
  readonly warm: boolean;
  /** Whether the VM was seen reading here lately. */
  readonly readsHere: boolean;
}

/**
 * Whether a load balancer may send a VM's connections here. Where the VM reads it is warm for it, by definition;
 * elsewhere only a migration makes a replica warm: without one it is cold as far as anybody knows.
 */
export function judge(facts: ReadinessFacts): Readiness {
  const { databaseAnswers, lagForbids } = facts;
  if (!databaseAnswers) return no('database_unreachable', 'the database does not answer the agent');
  if (lagForbids !== null) return no('lag', lagForbids);
  return warmth(facts);
}

function warmth({ vm, replica, route, migration, warm, readsHere }: ReadinessFacts): Readiness {
  if (route?.replica === replica) return yes('route_here', `the route of ${vm} leads here`);
  if (migration?.state === 'arrived' && !movedOn(route, migration)) {
    return yes('migration_arrived', `${vm} has arrived by migration ${migration.id}`);
  }
  if (migration?.state === 'ready' && warm) {
    return yes('migration_ready', `migration ${migration.id} is ready and held warm`);
  }
  if (migration !== undefined && migration.state !== 'arrived') {
    const share =
      migration.residency === undefined ? 'nothing yet' : `${(migration.residency * 100).toFixed(1)} %`;
    return no('warming', `migration ${migration.id} is ${migration.state}, ${share} of its plan resident`);
  }
  // Before the first route is set only the reading itself tells where a VM is.
  if (!route && readsHere) return yes('reads_here', `${vm} has no route, and was seen reading here`);
  const where = route ? `the route of ${vm} leads to ${route.replica}` : `${vm} has no route`;
  return no('no_migration', `${where}, and no migration to here is under way`);
}

const yes = (reason: ReadinessReason, message: string): Readiness => ({ ready: true, reason, message });
const no = (reason: ReadinessReason, message: string): Readiness => ({ ready: false, reason, message });
