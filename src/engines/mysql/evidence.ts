import { splitParts } from '../../attribution/split.ts';
import { type StatementId, statementKey } from './statement.ts';

const textsLimit = 5_000;
const faded = 0.05;

/**
 * Who was seen with which statement, and one text of each. The texts hold literals of an application: they
 * stay here and go to the server's planner, nowhere else.
 */
export class StatementEvidence {
  readonly #samples = new Map<string, Map<string, number>>();
  readonly #own = new Set<string>();
  readonly #texts = new Map<string, string>();
  readonly #cut = new Set<string>();

  /** `weight` in accesses; only the proportions among VMs matter. */
  count(statement: StatementId, vm: string, weight: number): void {
    const key = statementKey(statement);
    const byVm = this.#samples.get(key) ?? new Map<string, number>();
    this.#samples.set(key, byVm);
    byVm.set(vm, (byVm.get(vm) ?? 0) + weight);
  }

  /** Seen in a session of Forewarm. */
  countOwn(statement: StatementId): void {
    if (this.#own.size < textsLimit) this.#own.add(statementKey(statement));
  }

  isOwn(statement: StatementId): boolean {
    const key = statementKey(statement);
    return this.#own.has(key) && !this.#samples.has(key);
  }

  /** Parts by VM, adding up to 1; undefined where nobody was seen with it. */
  parts(statement: StatementId): ReadonlyMap<string, number> | undefined {
    const byVm = this.#samples.get(statementKey(statement)) ?? new Map<string, number>();
    return splitParts([...byVm].map(([vm, active]) => ({ vm, active, idle: 0 })));
  }

  knowsText(statement: StatementId): boolean {
    return this.#texts.has(statementKey(statement));
  }

  text(statement: StatementId): string | undefined {
    return this.#texts.get(statementKey(statement));
  }

  /** True where the server keeps less than the whole text. */
  isCut(statement: StatementId): boolean {
    return this.#cut.has(statementKey(statement));
  }

  learnText(statement: StatementId, text: string, cut = false): void {
    const key = statementKey(statement);
    this.#texts.set(key, text);
    if (cut) this.#cut.add(key);
    else this.#cut.delete(key);
    const oldest = this.#texts.size > textsLimit ? this.#texts.keys().next().value : undefined;
    if (oldest === undefined) return;
    this.#texts.delete(oldest);
    this.#cut.delete(oldest);
  }

  /** Lets counts fade, so that who no longer runs a statement loses its say. */
  age(keep: number): void {
    for (const [key, byVm] of this.#samples) {
      for (const [vm, weight] of byVm) {
        if (weight * keep < faded) byVm.delete(vm);
        else byVm.set(vm, weight * keep);
      }
      if (byVm.size === 0) this.#samples.delete(key);
    }
  }
}
