import type { MysqlConnections } from './connections.ts';
import { Counters } from './counters.ts';
import type { StatementEvidence } from './evidence.ts';
import type { ObservedSessions } from './observed-sessions.ts';
import { sqlStatement } from './sql.ts';
import { type StatementDelta, type StatementId, statementKey } from './statement.ts';

const countsStatement = sqlStatement('statement-counts');
const textsStatement = sqlStatement('statement-texts');
const preparedStatement = sqlStatement('prepared-counts');
const preparedTextsStatement = sqlStatement('prepared-texts');

interface CountsRow extends StatementId {
  readonly calls: number;
  readonly accesses: number;
}

interface PreparedRow {
  readonly instance: number;
  readonly threadId: number;
  readonly queryId: string;
  readonly calls: number;
  readonly accesses: number;
}

export interface DeltaOptions {
  readonly sessions: ObservedSessions;
  readonly windowMs: number;
  /** False: only what was prepared, by session. */
  readonly digests: boolean;
}

const textsAtOnce = 400;
const mostCut = 5_000;
const wholeServerSeconds = 1e9;
const slackSeconds = 3;

/** What each statement did: by digest for the whole server, and by session where it was prepared. */
export class StatementCounts {
  readonly #connections: MysqlConnections;
  readonly #evidence: StatementEvidence;
  readonly #digests = new Counters<CountsRow>(statementKey);
  /** Digests whose own text is cut as well. */
  readonly #cut = new Set<string>();
  readonly #prepared = new Counters<PreparedRow>((row) => `${row.threadId} ${row.instance} ${row.queryId}`);

  constructor(connections: MysqlConnections, evidence: StatementEvidence) {
    this.#connections = connections;
    this.#evidence = evidence;
  }

  /** Undefined at the first call, which only sets the baseline. */
  async deltas(options: DeltaOptions): Promise<StatementDelta[] | undefined> {
    const { sessions, windowMs } = options;
    const { dialect } = await this.#connections.server();
    const based = this.#digests.based;
    const seconds = based ? Math.ceil(windowMs / 1_000) + slackSeconds : wholeServerSeconds;
    const rows = await this.#connections.query<CountsRow>(countsStatement, [seconds]);
    const digests = this.#digests.take(rows, false);
    // What is counted under its digest must not be counted where it was prepared as well.
    const byInstance = !(dialect.digestsPrepared && options.digests);
    const prepared = byInstance
      ? this.#prepared.take(await this.#connections.query<PreparedRow>(preparedStatement), true)
      : [];
    if (!based) return undefined;
    const deltas: StatementDelta[] = (options.digests ? digests : []).map(
      ({ row: { database, queryId }, accesses }) => ({
        database,
        queryId,
        accesses,
      }),
    );
    for (const { row, accesses } of prepared) {
      const owner = sessions.owner(row.threadId);
      if (owner === undefined || owner.own) continue;
      deltas.push({ database: owner.database, queryId: row.queryId, accesses, vm: owner.vm });
    }
    return deltas;
  }

  /** Learns normalized texts of those statements that nobody was seen with, or of whose text the history has the beginning. */
  async learnTexts(deltas: readonly StatementDelta[]): Promise<void> {
    const unknown = deltas.filter((one) => !this.#evidence.knowsText(one) || this.#isCutInHistory(one));
    const ids = (prepared: boolean) =>
      [
        ...new Set(unknown.filter((one) => (one.vm !== undefined) === prepared).map((one) => one.queryId)),
      ].slice(0, textsAtOnce);
    const digests = ids(false);
    if (digests.length > 0) {
      const rows = await this.#connections.query<StatementId & { text: string | null }>(textsStatement, [
        digests,
      ]);
      for (const row of rows) {
        if (row.text === null) continue;
        if (!this.#evidence.knowsText(row)) this.#evidence.learnText(row, row.text);
        else if (!this.#evidence.isCut(row)) continue;
        else if (!row.text.trimEnd().endsWith('...')) this.#evidence.learnText(row, row.text);
        else if (this.#cut.size < mostCut) this.#cut.add(statementKey(row));
      }
    }
    const hashes = ids(true);
    if (hashes.length === 0) return;
    const rows = await this.#connections.query<{ queryId: string; text: string }>(preparedTextsStatement, [
      hashes,
    ]);
    const texts = new Map(rows.map((row) => [row.queryId, row.text]));
    for (const one of unknown) {
      const text = one.vm === undefined ? undefined : texts.get(one.queryId);
      if (text !== undefined) this.#evidence.learnText(one, text);
    }
  }

  #isCutInHistory(one: StatementDelta): boolean {
    return one.vm === undefined && this.#evidence.isCut(one) && !this.#cut.has(statementKey(one));
  }
}
