import type { VmMatcher } from '../../attribution/vm-rules.ts';
import type { MysqlConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const sessionsStatement = sqlStatement('observed-sessions');
const addressesStatement = sqlStatement('host-addresses');

interface SessionRow {
  readonly threadId: number;
  readonly user: string;
  readonly database: string;
  readonly host: string | null;
  readonly connectionType: string;
  readonly applicationName: string;
}

export interface SessionOwner {
  /** '' where no rule matches. */
  readonly vm: string;
  /** Forewarm's own. */
  readonly own: boolean;
  readonly database: string;
}

/** Who the server's threads are. A thread's id is never used again. */
export class ObservedSessions {
  readonly #connections: MysqlConnections;
  readonly #matcher: VmMatcher;
  #owners = new Map<number, SessionOwner>();
  #addresses = new Map<string, string>();

  constructor(connections: MysqlConnections, matcher: VmMatcher) {
    this.#connections = connections;
    this.#matcher = matcher;
  }

  owner(threadId: number): SessionOwner | undefined {
    return this.#owners.get(threadId);
  }

  /** Sessions without a VM at the last look. */
  get unmatched(): number {
    return [...this.#owners.values()].filter((one) => one.vm === '' && !one.own).length;
  }

  /** VMs with sessions at the last look. */
  get vms(): ReadonlySet<string> {
    return new Set([...this.#owners.values()].map(({ vm }) => vm).filter((vm) => vm !== ''));
  }

  /** The threads of a VM's sessions at the last look. */
  threadsOf(vm: string): number[] {
    return [...this.#owners].filter(([, owner]) => owner.vm === vm).map(([threadId]) => threadId);
  }

  async refresh(): Promise<void> {
    const rows = await this.#connections.query<SessionRow>(sessionsStatement);
    if (rows.some((row) => isHostName(row.host) && !this.#addresses.has(row.host ?? ''))) {
      const known = await this.#connections.query<{ host: string; address: string }>(addressesStatement);
      this.#addresses = new Map(known.map((one) => [one.host, one.address]));
    }
    this.#owners = new Map(rows.map((row) => [row.threadId, this.#ownerOf(row)]));
  }

  #ownerOf(row: SessionRow): SessionOwner {
    const own = row.applicationName.startsWith('forewarm:');
    const address = this.#addressOf(row);
    const vm = own ? undefined : this.#matcher.match({ ...row, address });
    return { vm: vm ?? '', own, database: row.database };
  }

  #addressOf({ host, connectionType }: SessionRow): string | null {
    if (host === null || connectionType === 'Socket') return null;
    if (host === 'localhost') return connectionType === '' ? null : '127.0.0.1';
    return this.#addresses.get(host) ?? host;
  }
}

const isHostName = (host: string | null): boolean =>
  host !== null && host !== 'localhost' && /[g-z]/i.test(host) && !host.includes(':');
