import { compileVmRules, type VmRule } from '../../attribution/vm-rules.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Observation, Observer } from '../engine.ts';
import { Catalog } from './catalog.ts';
import type { MysqlConnections } from './connections.ts';
import { missingConsumers } from './consumers.ts';
import { StatementEvidence } from './evidence.ts';
import { ExactCounts } from './exact-counts.ts';
import { exactly } from './exact-shares.ts';
import { Explanations } from './explanations.ts';
import { StatementHistory } from './history.ts';
import { IndexUsage } from './index-usage.ts';
import { Ledger } from './ledger.ts';
import { ObservedSessions } from './observed-sessions.ts';
import { PassingStatements } from './passing-statements.ts';
import { Planner } from './planner.ts';
import { ProcessSamples } from './processes.ts';
import { settlements } from './shares.ts';
import { sqlStatement } from './sql.ts';
import type { StatementDelta } from './statement.ts';
import { StatementCounts } from './statement-counts.ts';

const serverStatement = sqlStatement('observer-server');

export interface MysqlObserverOptions {
  readonly vms: readonly VmRule[];
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Accesses and samples count half after this time. */
  readonly evidenceHalfLifeMs?: number;
  /** How often VMs are counted alone, each in its turn; 0, as it is by default, is never. */
  readonly exactMs?: number | undefined;
  /** Bound of one question to the planner. */
  readonly explainTimeoutMs?: number;
}

/**
 * How sessions can be seen: `history`, the server keeps each session's last statements; `threads`, only what
 * runs at the moment of a look; `processes`, that alone and without `program_name`. The last two are coarse.
 */
type Sight = 'history' | 'threads' | 'processes';

/**
 * Watches who touches what. Reads only, and asks the planner without ever running a statement of others.
 *
 * `blocks` are row accesses: the rows that a statement examined and changed, at least one an execution, since
 * InnoDB counts no pages by statement. Where sight is coarse they are looks at running statements, and all of
 * them are in `splitBlocks`.
 */
export function createMysqlObserver(connections: MysqlConnections, options: MysqlObserverOptions): Observer {
  return new MysqlObserver(connections, options);
}

class MysqlObserver implements Observer {
  readonly #connections: MysqlConnections;
  readonly #options: MysqlObserverOptions;
  readonly #clock: Clock;
  readonly #evidence = new StatementEvidence();
  readonly #sessions: ObservedSessions;
  readonly #history: StatementHistory;
  readonly #passing: PassingStatements;
  readonly #processes: ProcessSamples;
  readonly #counts: StatementCounts;
  readonly #usage: IndexUsage;
  readonly #exact: ExactCounts;
  readonly #catalog: Catalog;
  readonly #explanations: Explanations;
  readonly #ledger: Ledger;
  #server: { readonly sight: Sight; readonly user: string } | undefined;
  #lastMs: number | undefined;

  constructor(connections: MysqlConnections, options: MysqlObserverOptions) {
    const { vms } = options;
    this.#connections = connections;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const nowMs = () => this.#clock.monotonicMs();
    const evidence = this.#evidence;
    const matcher = compileVmRules(vms);
    const sessions = new ObservedSessions(connections, matcher);
    this.#sessions = sessions;
    this.#history = new StatementHistory(connections, sessions, evidence);
    this.#passing = new PassingStatements(connections, sessions, evidence);
    this.#processes = new ProcessSamples({ connections, matcher, vms, evidence, sessions });
    this.#counts = new StatementCounts(connections, evidence);
    this.#usage = new IndexUsage(connections);
    const { logger, exactMs: everyMs = 0 } = options;
    this.#exact = new ExactCounts({ connections, sessions, logger, everyMs, clock: this.#clock });
    this.#catalog = new Catalog(connections, nowMs);
    const planner = new Planner(connections, options.explainTimeoutMs ?? 1_000);
    this.#explanations = new Explanations({ planner, catalog: this.#catalog, evidence, nowMs });
    this.#ledger = new Ledger(evidence);
  }

  async sample(): Promise<void> {
    const { sight, user } = this.#server ?? (await this.#look());
    if (sight === 'history') {
      await this.#history.sample();
      if (await this.#missesPassing()) await this.#passing.sample();
    } else if (sight === 'threads') await this.#processes.sampleThreads();
    else await this.#processes.sampleProcesses(user);
  }

  async collect(): Promise<Observation> {
    const { sight } = await this.#look();
    if (sight !== 'processes') await this.#sessions.refresh();
    // A look now, so that even a caller that never samples has one.
    await this.sample();
    const nowMs = this.#clock.monotonicMs();
    const first = this.#lastMs === undefined;
    const windowMs = nowMs - (this.#lastMs ?? nowMs);
    this.#lastMs = nowMs;
    const keep = 0.5 ** (windowMs / (this.#options.evidenceHalfLifeMs ?? 300_000));
    const deltas = await this.#deltas(sight, { windowMs, keep });
    if (sight !== 'processes') {
      await this.#usage.collect(keep);
      await this.#exact.collect(keep);
    }
    this.#evidence.age(keep);
    if (deltas !== undefined && !first) {
      this.#ledger.add(deltas, keep);
      await this.#settle();
    }
    const seen = this.#ledger.take(windowMs, this.#unmatchedSessions(sight));
    const vms = [...seen.vms].map(([vm, one]) => [vm, exactly(one, this.#exact.of(vm))] as const);
    return { ...seen, vms: new Map(vms) };
  }

  /** Statements that are prepared for each execution have neither a history nor a digest there. */
  async #missesPassing(): Promise<boolean> {
    return !(await this.#connections.server()).dialect.digestsPrepared;
  }

  async #deltas(
    sight: Sight,
    { windowMs, keep }: { readonly windowMs: number; readonly keep: number },
  ): Promise<StatementDelta[] | undefined> {
    const coarse = [...this.#processes.take(), ...this.#history.take()];
    if (sight === 'processes') return coarse;
    if (sight === 'history' && (await this.#missesPassing()))
      coarse.push(...(await this.#passing.take(keep)));
    const counted = await this.#counts.deltas({
      sessions: this.#sessions,
      windowMs,
      // Without a history nothing tells who ran a digest: what was prepared is known by its session all the same.
      digests: sight === 'history',
    });
    if (counted !== undefined) await this.#counts.learnTexts(counted);
    this.#history.prune();
    return counted && [...coarse, ...counted].filter((one) => !this.#explanations.touchesNothing(one));
  }

  async #settle(): Promise<void> {
    await this.#explanations.explainAll(this.#ledger.entries().map((entry) => entry.statement));
    for (const entry of this.#ledger.entries()) {
      if (this.#explanations.of(entry.statement)?.kind === 'nothing') this.#ledger.drop(entry);
    }
    const entries = this.#ledger.entries();
    const settled = settlements(entries, (entry) => this.#explanations.of(entry.statement), this.#usage);
    for (const [at, entry] of entries.entries()) {
      const settlement = settled[at];
      if (settlement !== undefined) this.#ledger.settle(entry, settlement);
    }
    this.#explanations.prune();
  }

  #unmatchedSessions(sight: Sight): number {
    return sight === 'processes' ? this.#processes.unmatched : this.#sessions.unmatched;
  }

  /** Read at every collect: a server that was started anew may keep account of other things. */
  async #look(): Promise<{ sight: Sight; user: string }> {
    const [row] = await this.#connections.query<{
      performanceSchema: number;
      foldsNames: number;
      user: string;
    }>(serverStatement);
    this.#catalog.foldsNames = Number(row?.foldsNames) > 0;
    const sight = await this.#sightOf(Number(row?.performanceSchema) === 1);
    if (this.#server?.sight !== sight) {
      this.#options.logger.info({ sight }, 'how statements are seen');
    }
    this.#server = { sight, user: row?.user ?? '' };
    return this.#server;
  }

  async #sightOf(performanceSchema: boolean): Promise<Sight> {
    if (!performanceSchema) return 'processes';
    return (await missingConsumers(this.#connections)).length === 0 ? 'history' : 'threads';
  }
}
