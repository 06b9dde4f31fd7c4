import type { MysqlConnections } from './connections.ts';
import type { StatementEvidence } from './evidence.ts';
import type { ObservedSessions } from './observed-sessions.ts';
import { sqlStatement } from './sql.ts';
import { type StatementDelta, type StatementId, statementKey } from './statement.ts';

const eventsStatement = sqlStatement('observed-events');
const textsStatement = sqlStatement('observed-texts');

interface EventRow extends StatementId {
  readonly threadId: number;
  readonly eventId: number;
  readonly endedUs: number;
  readonly accesses: number;
  readonly inRoutine: number;
}

interface TextRow extends StatementId {
  readonly text: string;
  readonly cut: number;
}

const textsAtOnce = 100;
/** Events of different threads do not end in the order in which they are seen. */
const slackUs = 200_000;

/** Looks at the history of each session's statements: its last ten, so that a look sees a part of a fast one's. */
export class StatementHistory {
  readonly #connections: MysqlConnections;
  readonly #sessions: ObservedSessions;
  readonly #evidence: StatementEvidence;
  /** The last event that was counted, by thread. */
  #seen = new Map<number, number>();
  #sinceUs = 0;
  #inRoutines = new Map<string, StatementDelta>();

  constructor(connections: MysqlConnections, sessions: ObservedSessions, evidence: StatementEvidence) {
    this.#connections = connections;
    this.#sessions = sessions;
    this.#evidence = evidence;
  }

  async sample(): Promise<void> {
    const rows = await this.#connections.query<EventRow>(eventsStatement, [this.#sinceUs - slackUs]);
    const latest = rows.reduce((most, row) => Math.max(most, row.endedUs), 0);
    // A server that started anew counts from zero.
    if (latest > 0 || rows.length > 0) this.#sinceUs = latest;
    const byThread = new Map<number, EventRow[]>();
    for (const row of rows) {
      if (row.eventId <= (this.#seen.get(row.threadId) ?? 0)) continue;
      byThread.set(row.threadId, [...(byThread.get(row.threadId) ?? []), row]);
    }
    if ([...byThread.keys()].some((id) => this.#sessions.owner(id) === undefined)) {
      await this.#sessions.refresh();
    }
    const fresh = new Map<string, EventRow>();
    for (const [threadId, events] of byThread) this.#take(threadId, events, fresh);
    await this.#learn([...fresh.values()]);
  }

  /** What was seen inside of stored routines since the last call: the server counts it under no digest. */
  take(): StatementDelta[] {
    const taken = [...this.#inRoutines.values()];
    this.#inRoutines = new Map();
    return taken;
  }

  /** Forgets what the server forgot when it restarted, or where nothing ran for long. */
  prune(): void {
    for (const threadId of this.#seen.keys()) {
      if (this.#sessions.owner(threadId) === undefined) this.#seen.delete(threadId);
    }
  }

  #take(threadId: number, events: readonly EventRow[], fresh: Map<string, EventRow>): void {
    const owner = this.#sessions.owner(threadId);
    const before = this.#seen.get(threadId);
    const last = events.reduce((most, one) => Math.max(most, one.eventId), 0);
    this.#seen.set(threadId, last);
    if (owner === undefined) return;
    // Each event seen stands for those that the history had let go by then.
    const stands = before === undefined ? 1 : Math.max(1, (last - before) / events.length);
    for (const event of events) {
      if (owner.own) {
        this.#evidence.countOwn(event);
        continue;
      }
      const accesses = stands * Math.max(1, event.accesses);
      if (event.inRoutine === 1) this.#takeInRoutine(event, owner.vm, accesses);
      else this.#evidence.count(event, owner.vm, accesses);
      if (!this.#evidence.knowsText(event)) fresh.set(statementKey(event), event);
    }
  }

  #takeInRoutine({ database, queryId }: StatementId, vm: string, accesses: number): void {
    const key = `${vm} ${statementKey({ database, queryId })}`;
    const sum = (this.#inRoutines.get(key)?.accesses ?? 0) + accesses;
    this.#inRoutines.set(key, { database, queryId, accesses: sum, vm, coarse: true });
  }

  async #learn(fresh: readonly EventRow[]): Promise<void> {
    if (fresh.length === 0) return;
    const wanted = fresh.slice(0, textsAtOnce).map((event) => [event.threadId, event.eventId]);
    const rows = await this.#connections.query<TextRow>(textsStatement, [wanted]);
    for (const row of rows) this.#evidence.learnText(row, row.text, row.cut === 1);
  }
}
