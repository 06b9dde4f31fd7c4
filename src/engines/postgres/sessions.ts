import type { SampleCount } from '../../attribution/split.ts';
import { shapeOf } from '../../attribution/sql-text.ts';
import type { VmMatcher } from '../../attribution/vm-rules.ts';
import type { PostgresConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const sessionsStatement = sqlStatement('sessions');
const locksStatement = sqlStatement('lock-looks');

interface SessionRow {
  readonly pid: number;
  readonly user: string;
  readonly database: string;
  readonly applicationName: string;
  readonly address: string | null;
  readonly state: string | null;
  readonly queryStart: number | null;
  readonly queryId: string | null;
  readonly text: string | null;
  readonly relations: readonly string[] | null;
}

/** Locks seen in sessions of one VM while one statement was theirs. */
export interface LockWitness {
  /** Looks that saw any lock. */
  readonly looks: number;
  readonly byOid: ReadonlyMap<string, number>;
}

interface StatementSamples {
  readonly byUserVm: Map<string, { user: string; vm: string; active: number; idle: number }>;
}

const noWitness: LockWitness = { looks: 0, byOid: new Map() };
const examplesLimit = 200;
const pathsLimit = 8;
const peekLimit = 200;
/** Names of prepared statements and cursors stand for statements whose id the session does not show. */
export const executeAlias = (name: string): string => `execute:${name}`;

/** What looks at the sessions told, aged with every collect. `vm` is '' for sessions that no rule matches. */
export class SessionEvidence {
  readonly #connections: PostgresConnections;
  readonly #matcher: VmMatcher;
  readonly #seen = new Map<number, string>();
  readonly #owners = new Map<number, { vm: string; database: string }>();
  readonly #samples = new Map<string, StatementSamples>();
  readonly #locks = new Map<string, { looks: number; byOid: Map<string, number> }>();
  /** VMs seen of each role and database. */
  readonly #users = new Map<string, Set<string>>();
  readonly #paths = new Map<string, (readonly string[])[]>();
  readonly #wanted = new Set<string>();
  readonly #examples = new Map<string, string>();
  #unmatchedSessions = 0;
  #sampled = false;

  constructor(connections: PostgresConnections, matcher: VmMatcher) {
    this.#connections = connections;
    this.#matcher = matcher;
  }

  /** Sessions without a VM at the last look. */
  get unmatchedSessions(): number {
    return this.#unmatchedSessions;
  }

  get sampled(): boolean {
    return this.#sampled;
  }

  /** One look at the sessions. */
  async sample(): Promise<void> {
    await this.#look();
  }

  /** Looks again and again for these relations in the locks of the sessions of the last sample. */
  async peek(database: string, oids: readonly string[]): Promise<void> {
    const rows = await this.#connections.query<{ pid: number; oid: string }>(database, locksStatement, [
      oids.slice(0, peekLimit),
    ]);
    const byPid = new Map<number, string[]>();
    for (const { pid, oid } of rows) byPid.set(pid, [...(byPid.get(pid) ?? []), oid]);
    for (const [pid, relations] of byPid) {
      const owner = this.#owners.get(pid);
      if (owner?.database === database) this.#takeLocks(lockKey(owner.vm, database), relations);
    }
  }

  async #look(): Promise<void> {
    const rows = await this.#connections.query<SessionRow>(
      this.#connections.mainDatabase,
      sessionsStatement,
      [[...this.#wanted]],
    );
    this.#sampled = true;
    this.#unmatchedSessions = 0;
    const alive = new Set<number>();
    for (const row of rows) {
      alive.add(row.pid);
      const vm = this.#matcher.match(row);
      if (vm === undefined) this.#unmatchedSessions++;
      this.#take(row, vm ?? '');
    }
    for (const pid of this.#seen.keys()) if (!alive.has(pid)) this.#seen.delete(pid);
    for (const pid of this.#owners.keys()) if (!alive.has(pid)) this.#owners.delete(pid);
  }

  #take(row: SessionRow, vm: string): void {
    this.#owners.set(row.pid, { vm, database: row.database });
    const role = JSON.stringify([row.user, row.database]);
    this.#users.set(role, (this.#users.get(role) ?? new Set()).add(vm));
    if (row.text !== null) this.#takeText(row, vm, row.text);
    const idle = row.state === 'idle';
    if (row.relations !== null && !idle) {
      this.#takeLocks(lockKey(vm, row.database, row.queryId ?? ''), row.relations);
      this.#takeLocks(lockKey(vm, row.database), row.relations);
    }
    const key = row.queryId === null ? undefined : sampleKey(row.database, row.queryId);
    const stamp = `${row.queryStart}`;
    if (key === undefined || this.#seen.get(row.pid) === stamp) return;
    this.#seen.set(row.pid, stamp);
    this.#count(key, row, vm);
  }

  #count(key: string, row: SessionRow, vm: string): void {
    const samples = this.#samples.get(key) ?? { byUserVm: new Map() };
    this.#samples.set(key, samples);
    const pair = JSON.stringify([row.user, vm]);
    const count = samples.byUserVm.get(pair) ?? { user: row.user, vm, active: 0, idle: 0 };
    samples.byUserVm.set(pair, count);
    // Idle in transaction is idle as well: it shows the last statement, not the one that costs.
    if (row.state === 'active') count.active++;
    else count.idle++;
  }

  #takeLocks(key: string, relations: readonly string[]): void {
    const witness = this.#locks.get(key) ?? { looks: 0, byOid: new Map<string, number>() };
    this.#locks.set(key, witness);
    witness.looks++;
    for (const oid of relations) witness.byOid.set(oid, (witness.byOid.get(oid) ?? 0) + 1);
  }

  #takeText(row: SessionRow, vm: string, text: string): void {
    const shape = shapeOf(text);
    if (shape.kind === 'set_path') this.addPath(row.user, row.database, shape.path);
    if (shape.kind === 'execute' && this.#seen.get(row.pid) !== `${row.queryStart}`) {
      this.#count(sampleKey(row.database, executeAlias(shape.name)), row, vm);
    }
    if (row.queryId === null || !this.#wanted.has(row.queryId)) return;
    this.#examples.set(lockKey(vm, row.database, row.queryId), text);
    if (this.#examples.size > examplesLimit) {
      const oldest = this.#examples.keys().next().value;
      if (oldest !== undefined) this.#examples.delete(oldest);
    }
  }

  /** A search path that sessions of that role set for themselves. */
  addPath(user: string, database: string, path: readonly string[]): void {
    const key = JSON.stringify([user, database]);
    const known = (this.#paths.get(key) ?? []).filter((one) => JSON.stringify(one) !== JSON.stringify(path));
    this.#paths.set(key, [path, ...known].slice(0, pathsLimit));
  }

  paths(user: string, database: string): readonly (readonly string[])[] {
    return this.#paths.get(JSON.stringify([user, database])) ?? [];
  }

  /** Whether sessions of that role logged in by that name; a role taken by SET ROLE never shows. */
  knowsUser(user: string, database: string): boolean {
    return this.#users.has(JSON.stringify([user, database]));
  }

  /** VMs whose sessions were seen with that role. */
  vmsOf(user: string, database: string): readonly string[] {
    return [...(this.#users.get(JSON.stringify([user, database])) ?? [])];
  }

  /** Who was seen with the statement; of that role, or of any role where its sessions never show. */
  samples(statement: { user: string; database: string; queryId: string }): readonly SampleCount[] {
    const all = [
      ...(this.#samples.get(sampleKey(statement.database, statement.queryId))?.byUserVm.values() ?? []),
    ];
    return this.knowsUser(statement.user, statement.database)
      ? all.filter((one) => one.user === statement.user)
      : all;
  }

  /** How often sessions of that role were seen, by VM. */
  roleParts(user: string, database: string): readonly (readonly [string, number])[] {
    return [...this.#samples]
      .filter(([key]) => (JSON.parse(key) as [string, string])[0] === database)
      .flatMap(([, samples]) => [...samples.byUserVm.values()])
      .filter((one) => one.user === user)
      .map((one) => [one.vm, one.active + one.idle] as const);
  }

  /** Locks of a VM's sessions: with that statement, or with any. */
  locks(vm: string, database: string, queryId?: string): LockWitness {
    return this.#locks.get(lockKey(vm, database, queryId)) ?? noWitness;
  }

  /** Asks the next looks for an unchanged text of that statement. */
  want(queryId: string): void {
    if (this.#wanted.size < examplesLimit) this.#wanted.add(queryId);
  }

  example(vm: string, database: string, queryId: string): string | undefined {
    return this.#examples.get(lockKey(vm, database, queryId));
  }

  /** Lets counts fade, so that what no longer runs loses its say; what was locked stays true for longer. */
  age(keep: number, keepLocks: number): void {
    for (const [key, samples] of this.#samples) {
      for (const [pair, count] of samples.byUserVm) {
        count.active *= keep;
        count.idle *= keep;
        if (count.active + count.idle < 0.05) samples.byUserVm.delete(pair);
      }
      if (samples.byUserVm.size === 0) this.#samples.delete(key);
    }
    for (const [key, witness] of this.#locks) {
      witness.looks *= keepLocks;
      for (const [oid, count] of witness.byOid) {
        if (count * keepLocks < 0.05) witness.byOid.delete(oid);
        else witness.byOid.set(oid, count * keepLocks);
      }
      if (witness.byOid.size === 0) this.#locks.delete(key);
    }
  }
}

const sampleKey = (database: string, queryId: string): string => JSON.stringify([database, queryId]);
const lockKey = (vm: string, database: string, queryId?: string): string =>
  JSON.stringify([vm, database, queryId ?? null]);
