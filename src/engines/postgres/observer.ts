import { compileVmRules, type VmMatcher, type VmRule } from '../../attribution/vm-rules.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { TimeBudget } from '../../lib/time-budget.ts';
import type { Observation, Observer } from '../engine.ts';
import type { PostgresConnections } from './connections.ts';
import { Explainer } from './explanations.ts';
import { Ledger } from './ledger.ts';
import { RelationStats } from './relation-stats.ts';
import { SearchPathSettings } from './search-paths.ts';
import { SessionEvidence } from './sessions.ts';
import { sqlStatement } from './sql.ts';
import { StatementBook } from './statement-book.ts';
import { StatementCounters, type StatementDelta, statementKey } from './statements.ts';
import { weigh } from './witnesses.ts';

const serverStatement = sqlStatement('own-role');

/** Each is ten looks at the locks, asleep in between. Their cost grows with the locks held: see the statement. */
const peeksAtOnce = 6;
const peekSleepMs = 9;
/** What peeks may cost the server, as a part of one core: a doubt is settled later where they are dear. */
const peekShare = 0.005;
const peekBurstMs = 1_000;
/** Samples after a collect in which wanted relations are looked for in the locks. */
const keenSamplesAtOnce = 40;
const keenCollectsLimit = 6;
/** Locks tell which relations, not how much: that stays true for longer than counts. */
const lockLifeFactor = 6;

export interface PostgresObserverOptions {
  readonly vms: readonly VmRule[];
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Accesses, samples and locks count half after this time. */
  readonly evidenceHalfLifeMs?: number;
  /** Bound of one question to the planner. */
  readonly explainTimeoutMs?: number;
}

interface Parts {
  readonly explainer: Explainer;
  readonly role: string;
}

/** Watches who touches what. Reads only, and asks the planner without ever running a statement of others. */
export function createPostgresObserver(
  connections: PostgresConnections,
  options: PostgresObserverOptions,
): Observer {
  return new PostgresObserver(connections, options);
}

class PostgresObserver implements Observer {
  readonly #connections: PostgresConnections;
  readonly #options: PostgresObserverOptions;
  readonly #clock: Clock;
  readonly #matcher: VmMatcher;
  readonly #counters: StatementCounters;
  readonly #evidence: SessionEvidence;
  readonly #relations: ReadonlyMap<string, RelationStats>;
  readonly #ledger: Ledger;
  readonly #book: StatementBook;
  #parts: Parts | undefined;
  #lastMs: number | undefined;
  /** Looks left in which more is tried, since locks would settle a doubt. */
  #keenSamples = 0;
  #keenCollects = 0;
  #wanted: ReadonlyMap<string, readonly string[]> = new Map();
  readonly #peekTime: TimeBudget;

  constructor(connections: PostgresConnections, options: PostgresObserverOptions) {
    this.#connections = connections;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#peekTime = new TimeBudget({ clock: this.#clock, share: peekShare, burstMs: peekBurstMs });
    const nowMs = () => this.#clock.monotonicMs();
    this.#matcher = compileVmRules(options.vms);
    this.#counters = new StatementCounters(connections);
    this.#evidence = new SessionEvidence(connections, this.#matcher);
    this.#relations = new Map(
      connections.databases.map((database) => [database, new RelationStats(connections, database, nowMs)]),
    );
    this.#ledger = new Ledger(this.#matcher, this.#evidence);
    this.#book = new StatementBook({
      counters: this.#counters,
      evidence: this.#evidence,
      settings: new SearchPathSettings(connections, nowMs),
      nowMs,
    });
  }

  async sample(): Promise<void> {
    await this.#evidence.sample();
    if (this.#keenSamples <= 0) return;
    this.#keenSamples--;
    for (let peek = 0; peek < peeksAtOnce; peek++) {
      for (const [database, oids] of this.#wanted) {
        const look = () => this.#evidence.peek(database, oids);
        if (!(await this.#peekTime.spend(look, peekSleepMs))) return;
      }
    }
  }

  async collect(): Promise<Observation> {
    const parts = await this.#prepare();
    // A look now, so that even a caller that never samples has one.
    await this.#evidence.sample();
    const deltas = await this.#counters.deltas();
    const columns = new Map<string, Map<string, number>>();
    for (const [database, stats] of this.#relations) {
      columns.set(database, (await stats.deltas()) ?? new Map());
    }
    const nowMs = this.#clock.monotonicMs();
    const windowMs = this.#lastMs === undefined ? 0 : nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (deltas === undefined) return this.#ledger.empty(windowMs, this.#evidence.unmatchedSessions);

    const keep = 0.5 ** (windowMs / (this.#options.evidenceHalfLifeMs ?? 300_000));
    this.#evidence.age(keep, keep ** (1 / lockLifeFactor));
    const wanted = new Map<string, string[]>();
    const ours = (delta: StatementDelta) =>
      delta.user === parts.role && !this.#options.vms.some((rule) => rule.user === parts.role);
    const theirs = deltas.filter((delta) => !ours(delta));
    await this.#book.learnTexts(theirs);
    this.#ledger.add(theirs, columns, keep, this.#book);
    for (const [database, stats] of this.#relations) {
      const entries = this.#ledger.entries(database);
      if (entries.length === 0) continue;
      const catalog = await this.#currentCatalog(stats, columns.get(database) ?? new Map());
      const columnsOf = this.#ledger.columns(database);
      await this.#book.explainAll(parts.explainer, database, entries, { catalog, columns: columnsOf });
      const verdicts = weigh(
        entries.map((entry) => ({
          vm: entry.vm,
          volume: entry.aged,
          group: statementKey(entry.statement),
          explanation: this.#book.explanationOf(entry.statement),
          statementLocks: this.#evidence.locks(entry.vm, database, entry.statement.queryId),
          vmLocks: this.#evidence.locks(entry.vm, database),
        })),
        columnsOf,
        catalog,
      );
      for (const [index, entry] of entries.entries()) {
        const verdict = verdicts[index];
        if (verdict === undefined) continue;
        if (entry.pending > 0) wanted.set(database, [...(wanted.get(database) ?? []), ...verdict.wanted]);
        const reason = this.#book.reasonFor(entry.statement);
        this.#ledger.settle(entry, { verdict, reason, ref: (oid) => catalog.ref(database, oid) });
      }
    }
    this.#beKeen(wanted);
    return this.#ledger.take(windowMs, this.#evidence.unmatchedSessions, [...this.#relations.keys()]);
  }

  /** Tries harder for a while; where that does not help, seldom. */
  #beKeen(wanted: ReadonlyMap<string, readonly string[]>): void {
    const pairs = [...wanted].filter(([, oids]) => oids.length > 0);
    this.#wanted = new Map(pairs.map(([database, oids]) => [database, [...new Set(oids)]]));
    this.#keenCollects = pairs.length > 0 ? this.#keenCollects + 1 : 0;
    const tries = this.#keenCollects;
    const now = tries > 0 && (tries <= keenCollectsLimit || tries % keenCollectsLimit === 0);
    this.#keenSamples = now ? keenSamplesAtOnce : 0;
  }

  async #prepare(): Promise<Parts> {
    if (this.#parts !== undefined) return this.#parts;
    const { mainDatabase } = this.#connections;
    const rows = await this.#connections.query<{ role: string }>(mainDatabase, serverStatement);
    const role = rows[0]?.role ?? '';
    const explainer = new Explainer({
      connections: this.#connections,
      nowMs: () => this.#clock.monotonicMs(),
      timeoutMs: this.#options.explainTimeoutMs ?? 1_000,
    });
    this.#parts = { explainer, role };
    return this.#parts;
  }

  /** Read anew where something unknown was touched or locked. */
  async #currentCatalog(stats: RelationStats, touched: ReadonlyMap<string, number>) {
    const known = await stats.catalog();
    const unknown = [...touched.keys()].some((oid) => !known.byOid.has(oid));
    return unknown ? stats.catalog(true) : known;
  }
}
