import { normalize, splitParts } from '../../attribution/split.ts';
import type { VmMatcher } from '../../attribution/vm-rules.ts';
import type { RelationRef } from '../../planning/work-set.ts';
import { relationKey } from '../../planning/work-set.ts';
import type { Observation, VmObservation } from '../engine.ts';
import type { SessionEvidence } from './sessions.ts';
import type { BookEntry, StatementBook, StatementId } from './statement-book.ts';
import { type StatementDelta, statementKey } from './statements.ts';
import type { Verdict } from './witnesses.ts';

interface Entry extends BookEntry {
  aged: number;
  pending: number;
  /** Part of `pending` that was read, not hit. */
  pendingRead: number;
  /** Divided among VMs by samples. */
  split: boolean;
  /** Windows that the pending accesses have waited. */
  waited: number;
}

interface Unsplit {
  readonly delta: StatementDelta;
  readonly waited: number;
}

interface VmTotals {
  hit: number;
  read: number;
  split: number;
  readonly relations: Map<string, { ref: RelationRef; oid: number; blocks: number }>;
  readonly unexplained: VmObservation['unexplained'][number][];
}

export interface Settlement {
  readonly verdict: Verdict;
  /** Why nothing explains it, where that is known. */
  readonly reason: string | undefined;
  readonly ref: (oid: string) => RelationRef | undefined;
}

/** Windows that accesses are held back in the hope of a better witness. */
const patience = 3;
/** Of these there are several readings, and one lock tells which: it is met sooner or later. */
const patienceInDoubt = 12;
/** In samples: a VM known to run a statement only by its locks; the relations' counts say how much. */
const unseenWeight = 0.5;
/** A relation below this part of what a statement touches most is noise of the fit. */
const noisePart = 0.005;
/** And so is an index, or another part of a table, with less than this part of a VM's window, */
const noiseOfWindow = 0.001;
/** but for one with this part of its table's accesses: of a table that is small, or touched seldom. */
const noiseOfTable = 0.03;

/** Keeps account: every access that comes in goes out once, to a relation, as unexplained, or as unmatched. */
export class Ledger {
  readonly #matcher: VmMatcher;
  readonly #evidence: SessionEvidence;
  readonly #entries = new Map<string, Entry>();
  readonly #columns = new Map<string, Map<string, number>>();
  #unsplit: Unsplit[] = [];
  #vms = new Map<string, VmTotals>();
  #unmatchedBlocks = 0;

  constructor(matcher: VmMatcher, evidence: SessionEvidence) {
    this.#matcher = matcher;
    this.#evidence = evidence;
  }

  empty(windowMs: number, unmatchedSessions: number): Observation {
    return { windowMs, vms: new Map(), unmatched: { sessions: unmatchedSessions, blocks: 0 } };
  }

  /** Takes a window in; earlier evidence fades by `keep`. */
  add(
    deltas: readonly StatementDelta[],
    columns: ReadonlyMap<string, ReadonlyMap<string, number>>,
    keep: number,
    book: Pick<StatementBook, 'aliasOf' | 'lockersOf'>,
  ): void {
    for (const [key, entry] of this.#entries) {
      entry.aged *= keep;
      if (entry.aged < 0.5 && entry.pending === 0) this.#entries.delete(key);
    }
    for (const [database, counts] of columns) this.#addColumns(database, counts, keep);
    const waiting = this.#unsplit;
    this.#unsplit = [];
    const fresh = deltas.filter((delta) => delta.topLevel).map((delta) => ({ delta, waited: 0 }));
    for (const one of [...waiting, ...fresh]) this.#divide(one, book);
  }

  #addColumns(database: string, counts: ReadonlyMap<string, number>, keep: number): void {
    const sums = this.#columns.get(database) ?? new Map<string, number>();
    this.#columns.set(database, sums);
    for (const [oid, blocks] of sums) {
      if (blocks * keep < 0.5) sums.delete(oid);
      else sums.set(oid, blocks * keep);
    }
    for (const [oid, blocks] of counts) sums.set(oid, (sums.get(oid) ?? 0) + blocks);
  }

  #divide(one: Unsplit, book: Pick<StatementBook, 'aliasOf' | 'lockersOf'>): void {
    const { delta } = one;
    const owner = this.#matcher.owner(delta.user, delta.database);
    const showsItself = this.#evidence.knowsUser(delta.user, delta.database);
    if (owner.kind === 'vm') {
      this.#credit(delta, owner.vm, 1, false);
      return;
    }
    const alias = book.aliasOf(delta);
    const samples = [
      ...this.#evidence.samples(delta),
      ...(alias === undefined ? [] : this.#evidence.samples({ ...delta, queryId: alias })),
    ];
    for (const vm of book.lockersOf(delta)) {
      if (!samples.some((one) => one.vm === vm)) samples.push({ vm, active: unseenWeight, idle: 0 });
    }
    // A role taken by SET ROLE is nobody's by the rules; its sessions show under another name.
    if (owner.kind === 'unmatched' && (showsItself || samples.length === 0)) {
      this.#credit(delta, '', 1, false);
      return;
    }
    const parts = splitParts(samples);
    if (parts !== undefined) {
      for (const [vm, part] of parts) this.#credit(delta, vm, part, true);
      return;
    }
    if (one.waited < patience) this.#unsplit.push({ delta, waited: one.waited + 1 });
    else this.#giveUpSplit(delta);
  }

  /** By who uses the role at all: good enough to say how much is not known of each. */
  #giveUpSplit(delta: StatementDelta): void {
    const sessions = this.#evidence.roleParts(delta.user, delta.database);
    const parts = normalize(sessions) ?? new Map([['', 1]]);
    for (const [vm, part] of parts) {
      const blocks = (delta.hit + delta.read) * part;
      if (vm === '') {
        this.#unmatchedBlocks += blocks;
        continue;
      }
      this.#count(vm, { blocks, read: delta.read * part, split: true });
      this.#explainNot(vm, delta, blocks, 'no session was seen with it, and several VMs share its role');
    }
  }

  #credit(delta: StatementDelta, vm: string, part: number, split: boolean): void {
    const blocks = (delta.hit + delta.read) * part;
    const key = JSON.stringify([vm, statementKey(delta)]);
    const { user, database, queryId } = delta;
    const entry = this.#entries.get(key) ?? {
      statement: { user, database, queryId },
      vm,
      aged: 0,
      pending: 0,
      pendingRead: 0,
      split,
      waited: 0,
    };
    this.#entries.set(key, entry);
    entry.split = split;
    entry.pendingRead += delta.read * part;
    entry.aged += blocks;
    entry.pending += blocks;
  }

  #count(vm: string, some: { blocks: number; read: number; split: boolean }): void {
    if (vm === '') {
      this.#unmatchedBlocks += some.blocks;
      return;
    }
    const totals = this.#totals(vm);
    totals.hit += some.blocks - some.read;
    totals.read += some.read;
    if (some.split) totals.split += some.blocks;
  }

  /** Takes what waits of an entry out, times `factor`, and counts it for its VM. */
  #release(entry: Entry, factor: number): number {
    const blocks = entry.pending * factor;
    this.#count(entry.vm, { blocks, read: entry.pendingRead * factor, split: entry.split });
    entry.pending = 0;
    entry.pendingRead = 0;
    entry.waited = 0;
    return blocks;
  }

  #totals(vm: string): VmTotals {
    const known = this.#vms.get(vm);
    if (known !== undefined) return known;
    const fresh: VmTotals = { hit: 0, read: 0, split: 0, relations: new Map(), unexplained: [] };
    this.#vms.set(vm, fresh);
    return fresh;
  }

  /** Statements of one database with accesses in memory; those of unmatched sessions too, with VM ''. */
  entries(database: string): readonly BookEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.statement.database === database);
  }

  columns(database: string): ReadonlyMap<string, number> {
    return this.#columns.get(database) ?? new Map();
  }

  /** Books what waits of an entry to relations, or holds it back, or gives it up. */
  settle(entry: BookEntry, settlement: Settlement): void {
    const mine = this.#entries.get(JSON.stringify([entry.vm, statementKey(entry.statement)]));
    if (mine === undefined || mine.pending === 0) return;
    const { verdict } = settlement;
    const unsure = verdict.shares.size === 0 || verdict.doubt !== undefined;
    const most = verdict.doubt === undefined ? patience : patienceInDoubt;
    if ((unsure || verdict.unsettled) && mine.waited < most) {
      mine.waited++;
      return;
    }
    const blocks = this.#release(mine, unsure ? 1 : verdict.factor);
    if (mine.vm === '') return;
    if (unsure) {
      const reason = verdict.doubt ?? settlement.reason ?? 'nothing that it may touch was touched';
      this.#explainNot(mine.vm, mine.statement, blocks, reason);
      return;
    }
    const { relations } = this.#totals(mine.vm);
    const least = noisePart * Math.max(...verdict.shares.values());
    const told = [...verdict.shares].filter(([, share]) => share >= least);
    const sum = told.reduce((all, [, share]) => all + share, 0);
    for (const [oid, share] of told) {
      const ref = settlement.ref(oid);
      if (ref === undefined) continue;
      const key = relationKey(ref);
      const before = relations.get(key)?.blocks ?? 0;
      relations.set(key, { ref, oid: Number(oid), blocks: before + (share / sum) * blocks });
    }
  }

  #explainNot(vm: string, statement: StatementId, blocks: number, reason: string): void {
    const { database, queryId } = statement;
    this.#totals(vm).unexplained.push({ database, queryId, blocks, reason });
  }

  /** What was settled since the last call. */
  take(windowMs: number, unmatchedSessions: number, watched: readonly string[]): Observation {
    for (const entry of this.#entries.values()) {
      if (watched.includes(entry.statement.database) || entry.pending === 0) continue;
      const { database } = entry.statement;
      const reason = `database "${database}" is not among database.databases`;
      const blocks = this.#release(entry, 1);
      if (entry.vm !== '') this.#explainNot(entry.vm, entry.statement, blocks, reason);
    }
    const vms = new Map<string, VmObservation>();
    for (const [vm, totals] of this.#vms) vms.set(vm, observationOf(totals));
    const observation = {
      windowMs,
      vms,
      unmatched: { sessions: unmatchedSessions, blocks: this.#unmatchedBlocks },
    };
    this.#vms = new Map();
    this.#unmatchedBlocks = 0;
    return observation;
  }
}

function observationOf(totals: VmTotals): VmObservation {
  return {
    blocks: totals.hit + totals.read,
    blocksHit: totals.hit,
    blocksRead: totals.read,
    splitBlocks: totals.split,
    relations: withoutNoise([...totals.relations.values()]).sort((a, b) => b.blocks - a.blocks),
    unexplained: totals.unexplained,
  };
}

/** The fit gives a little to each index by which a statement might have read. */
function withoutNoise(relations: VmObservation['relations'][number][]): VmObservation['relations'][number][] {
  const explained = relations.reduce((sum, { blocks }) => sum + blocks, 0);
  const tables = new Map(
    relations.map(({ ref, blocks }) => [JSON.stringify([ref.database, `${ref.schema}.${ref.name}`]), blocks]),
  );
  return relations.filter(({ ref, blocks }) => {
    if (ref.parent === undefined || blocks >= explained * noiseOfWindow) return true;
    const ofTable = tables.get(JSON.stringify([ref.database, ref.parent])) ?? 0;
    return blocks >= ofTable * noiseOfTable;
  });
}
