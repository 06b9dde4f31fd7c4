import { createHash } from 'node:crypto';
import { normalized } from '../../attribution/mysql-askable.ts';
import type { VmMatcher, VmRule } from '../../attribution/vm-rules.ts';
import type { MysqlConnections } from './connections.ts';
import type { StatementEvidence } from './evidence.ts';
import type { ObservedSessions } from './observed-sessions.ts';
import { sqlStatement } from './sql.ts';
import { type StatementDelta, statementKey } from './statement.ts';

const processesStatement = sqlStatement('observed-processes');
const threadsStatement = sqlStatement('observed-threads');

interface ProcessRow {
  readonly user: string;
  readonly host: string;
  readonly database: string;
  readonly text: string | null;
}

interface ThreadRow {
  readonly threadId: number;
  readonly database: string;
  readonly text: string;
}

export interface ProcessSamplesOptions {
  readonly connections: MysqlConnections;
  readonly matcher: VmMatcher;
  readonly vms: readonly VmRule[];
  readonly evidence: StatementEvidence;
  readonly sessions: ObservedSessions;
}

/**
 * Coarse: what runs at the moment of a look, where the server keeps no history. Volumes are numbers of looks, so
 * that a statement counts by its duration, and one that is rare and fast may never be seen.
 */
export class ProcessSamples {
  readonly #options: ProcessSamplesOptions;
  #counts = new Map<string, StatementDelta>();
  #unmatched = 0;

  constructor(options: ProcessSamplesOptions) {
    this.#options = options;
  }

  /** Sessions without a VM at the last look at the process list. */
  get unmatched(): number {
    return this.#unmatched;
  }

  /** By `performance_schema.threads`, where the sessions' `program_name` is known. */
  async sampleThreads(): Promise<void> {
    const { connections, sessions } = this.#options;
    const rows = await connections.query<ThreadRow>(threadsStatement);
    if (rows.some((row) => sessions.owner(row.threadId) === undefined)) await sessions.refresh();
    for (const { threadId, database, text } of rows) {
      const owner = sessions.owner(threadId);
      if (owner !== undefined && !owner.own) this.#count(owner.vm, database, text);
    }
  }

  /** By the process list: no `program_name` is there, so that rules which ask for one match nobody. */
  async sampleProcesses(ownUser: string): Promise<void> {
    const { connections, matcher, vms } = this.#options;
    const isOwn = (user: string) => user === ownUser && !vms.some((rule) => rule.user === ownUser);
    this.#unmatched = 0;
    for (const row of await connections.query<ProcessRow>(processesStatement)) {
      if (isOwn(row.user)) continue;
      const { user, database } = row;
      const vm = matcher.match({ user, database, applicationName: '', address: addressOf(row.host) }) ?? '';
      if (vm === '') this.#unmatched++;
      if (row.text !== null) this.#count(vm, database, row.text);
    }
  }

  /** What was seen since the last call. */
  take(): StatementDelta[] {
    const taken = [...this.#counts.values()];
    this.#counts = new Map();
    return taken;
  }

  #count(vm: string, database: string, text: string): void {
    const queryId = createHash('sha256').update(normalized(text)).digest('hex');
    const statement = { database, queryId };
    const key = `${vm} ${statementKey(statement)}`;
    const accesses = (this.#counts.get(key)?.accesses ?? 0) + 1;
    this.#counts.set(key, { ...statement, accesses, vm, coarse: true });
    if (!this.#options.evidence.knowsText(statement)) this.#options.evidence.learnText(statement, text);
  }
}

/** `localhost` without a port is a Unix socket. */
function addressOf(host: string): string | null {
  if (host === 'localhost') return null;
  const address = host.replace(/:\d+$/, '');
  return address === 'localhost' ? '127.0.0.1' : address;
}
