import { type RelationRef, relationKey } from '../../planning/work-set.ts';
import type { VmObservation } from '../engine.ts';
import type { ExactAccesses } from './exact-counts.ts';
import { clustered } from './explanations.ts';
import { refOf } from './shares.ts';

/** Accesses of a VM alone below which they tell too little of its parts. */
const fewest = 200;
/** A relation that was expected to be seen so often in these counts, and was not, is not the VM's. */
const expected = 3;

/**
 * What a VM touches, divided as it was counted alone: nothing of that is unexplained. Relations that its statements
 * tell of and that are too rare for these counts keep their part.
 */
export function exactly(seen: VmObservation, counted: ExactAccesses | undefined): VmObservation {
  const total = [...(counted ?? [])].reduce((sum, [, accesses]) => sum + accesses, 0);
  if (counted === undefined || total < fewest) return seen;
  const explained = seen.relations.reduce((sum, { blocks }) => sum + blocks, 0);
  const parts = new Map<string, { readonly ref: RelationRef; part: number }>();
  const add = (ref: RelationRef, part: number) => {
    const known = parts.get(relationKey(ref));
    if (known === undefined) parts.set(relationKey(ref), { ref, part });
    else known.part += part;
  };
  const told = new Set(seen.relations.map(({ ref }) => relationKey(ref)));
  for (const [key, accesses] of counted) {
    const [database, name, index] = JSON.parse(key) as [string, string, string];
    const table = { database, name };
    const [own, rows] = [refOf(table, index), refOf(table, clustered)];
    const part = accesses / total;
    // A lookup by another index is counted there alone; statements tell whether it answers without the rows.
    const needsRows = index !== clustered && (!told.has(relationKey(own)) || told.has(relationKey(rows)));
    add(own, needsRows ? part / 2 : part);
    if (needsRows) add(rows, part / 2);
  }
  for (const { ref, blocks } of seen.relations) {
    const part = blocks / explained;
    if (!parts.has(relationKey(ref)) && part * total < expected) add(ref, part);
  }
  const sum = [...parts.values()].reduce((all, { part }) => all + part, 0);
  return {
    ...seen,
    relations: [...parts.values()]
      .map(({ ref, part }) => ({ ref, blocks: (seen.blocks * part) / sum }))
      .sort((a, b) => b.blocks - a.blocks),
    unexplained: [],
  };
}
