import { type RelationRef, relationKey } from '../../planning/work-set.ts';
import type { Observation, VmObservation } from '../engine.ts';
import type { StatementEvidence } from './evidence.ts';
import { type StatementDelta, type StatementId, statementKey } from './statement.ts';

/** A statement of one VM with what waits to be booked; `vm` is '' for sessions that no rule matches. */
export interface LedgerEntry {
  readonly statement: StatementId;
  readonly vm: string;
  /** Accesses, fading. */
  readonly aged: number;
  readonly pending: number;
}

interface Entry extends LedgerEntry {
  aged: number;
  pending: number;
  /** Divided among VMs by samples, or counted by them. */
  split: boolean;
  waited: number;
}

interface VmTotals {
  blocks: number;
  split: number;
  readonly relations: Map<string, { ref: RelationRef; blocks: number }>;
  readonly unexplained: VmObservation['unexplained'][number][];
}

export interface Settlement {
  /** Parts by relation, adding up to 1; empty where nothing explains the statement. */
  readonly shares: readonly { readonly ref: RelationRef; readonly share: number }[];
  /** What the tables' own counts make of its volume. */
  readonly factor: number;
  /** Why nothing explains it. */
  readonly reason: string;
}

/** Windows that accesses are held back in the hope of a better witness. */
const patience = 3;

/** Keeps account: every access that comes in goes out once, to a relation, as unexplained, or as unmatched. */
export class Ledger {
  readonly #evidence: StatementEvidence;
  readonly #entries = new Map<string, Entry>();
  #unsplit: { readonly delta: StatementDelta; readonly waited: number }[] = [];
  #vms = new Map<string, VmTotals>();
  #unmatched = 0;

  constructor(evidence: StatementEvidence) {
    this.#evidence = evidence;
  }

  /** Takes a window in; earlier evidence fades by `keep`. */
  add(deltas: readonly StatementDelta[], keep: number): void {
    for (const [key, entry] of this.#entries) {
      entry.aged *= keep;
      if (entry.aged < 0.5 && entry.pending === 0) this.#entries.delete(key);
    }
    const waiting = this.#unsplit;
    this.#unsplit = [];
    for (const one of [...waiting, ...deltas.map((delta) => ({ delta, waited: 0 }))]) this.#divide(one);
  }

  #divide({ delta, waited }: { delta: StatementDelta; waited: number }): void {
    if (delta.vm !== undefined) {
      this.#credit(delta, delta.vm, 1, delta.coarse === true);
      return;
    }
    if (this.#evidence.isOwn(delta)) return;
    const parts = this.#evidence.parts(delta);
    if (parts !== undefined) for (const [vm, part] of parts) this.#credit(delta, vm, part, parts.size > 1);
    else if (waited < patience) this.#unsplit.push({ delta, waited: waited + 1 });
    // Nobody was ever seen with it: it is counted, and given to no VM.
    else this.#unmatched += delta.accesses;
  }

  #credit(delta: StatementDelta, vm: string, part: number, split: boolean): void {
    const key = entryKey(vm, delta);
    const { database, queryId } = delta;
    const entry = this.#entries.get(key) ?? {
      statement: { database, queryId },
      vm,
      aged: 0,
      pending: 0,
      split,
      waited: 0,
    };
    this.#entries.set(key, entry);
    entry.split = split;
    entry.aged += delta.accesses * part;
    entry.pending += delta.accesses * part;
  }

  /** Statements with accesses in memory, the biggest first. */
  entries(): readonly LedgerEntry[] {
    return [...this.#entries.values()].sort((a, b) => b.aged - a.aged);
  }

  /** Takes out what turned out to touch no table of an application. */
  drop({ vm, statement }: LedgerEntry): void {
    this.#entries.delete(entryKey(vm, statement));
  }

  /** Books what waits of an entry to relations, or holds it back, or gives it up. */
  settle({ vm, statement }: LedgerEntry, { shares, factor, reason }: Settlement): void {
    const entry = this.#entries.get(entryKey(vm, statement));
    if (entry === undefined || entry.pending === 0) return;
    if (shares.length === 0 && entry.waited < patience) {
      entry.waited++;
      return;
    }
    const blocks = entry.pending * (shares.length === 0 ? 1 : factor);
    entry.pending = 0;
    entry.waited = 0;
    if (vm === '') {
      this.#unmatched += blocks;
      return;
    }
    const totals = this.#totals(vm);
    totals.blocks += blocks;
    if (entry.split) totals.split += blocks;
    if (shares.length === 0) totals.unexplained.push({ ...statement, blocks, reason });
    for (const { ref, share } of shares) {
      const key = relationKey(ref);
      const before = totals.relations.get(key)?.blocks ?? 0;
      totals.relations.set(key, { ref, blocks: before + share * blocks });
    }
  }

  /** What was settled since the last call. */
  take(windowMs: number, unmatchedSessions: number): Observation {
    const vms = new Map([...this.#vms].map(([vm, totals]) => [vm, observationOf(totals)] as const));
    const unmatched = { sessions: unmatchedSessions, blocks: this.#unmatched };
    this.#vms = new Map();
    this.#unmatched = 0;
    return { windowMs, vms, unmatched };
  }

  #totals(vm: string): VmTotals {
    const known = this.#vms.get(vm) ?? { blocks: 0, split: 0, relations: new Map(), unexplained: [] };
    this.#vms.set(vm, known);
    return known;
  }
}

const entryKey = (vm: string, statement: StatementId): string =>
  JSON.stringify([vm, statementKey(statement)]);

function observationOf(totals: VmTotals): VmObservation {
  return {
    blocks: totals.blocks,
    // The server does not tell a statement's reads from its hits.
    blocksHit: totals.blocks,
    blocksRead: 0,
    splitBlocks: totals.split,
    relations: [...totals.relations.values()].sort((a, b) => b.blocks - a.blocks),
    unexplained: totals.unexplained,
  };
}
