/** One access to one table in a plan of `EXPLAIN FORMAT=JSON`. */
export interface PlannedAccess {
  /** The name that the statement gives the table. */
  readonly alias: string;
  /** Several where the server merges indexes; none for a scan of the whole table. */
  readonly indexes: readonly string[];
  /** Expected over the whole statement. */
  readonly rows: number;
  /** The index alone answers. */
  readonly covering: boolean;
  /** It reads ranges of the index, or merges several: not single keys, and not all of it. */
  readonly ranged: boolean;
}

export interface MysqlPlan {
  readonly accesses: readonly PlannedAccess[];
  /** The planner found that no row can match, so that its plan does not tell what is read otherwise. */
  readonly empty: boolean;
  /** The planner answered a part by itself, whose tables are not among the accesses. */
  readonly partial: boolean;
}

type Json = { readonly [key: string]: unknown };

const maxRows = 1e9;
const singleRow = new Set(['const', 'system', 'eq_ref']);
const rangedTypes = new Set(['range', 'index_merge']);

/** Reads the plans of MySQL (version 1 of the format) and MariaDB; parts that it does not know are walked through. */
export function readMysqlPlan(root: unknown): MysqlPlan {
  const accesses: PlannedAccess[] = [];
  let empty = false;
  let partial = false;

  /** Returns how many rows come out of it. */
  const visit = (value: unknown, loops: number): number => {
    if (Array.isArray(value)) {
      for (const one of value) visit(one, loops);
      return loops;
    }
    if (!isObject(value)) return loops;
    const message = value['message'];
    if (typeof message === 'string') {
      if (/impossible|no matching/i.test(message)) empty = true;
      partial ||= empty || /optimized away/i.test(message);
    }
    if (typeof value['table_name'] === 'string') return visitTable(value, value['table_name'], loops);
    let rows = loops;
    for (const [key, child] of Object.entries(value)) {
      if (key === 'nested_loop' && Array.isArray(child)) {
        rows = child.reduce<number>((outer, one) => visit(one, outer), loops);
      } else rows = Math.max(rows, visit(child, loops));
    }
    return rows;
  };

  const visitTable = (table: Json, alias: string, loops: number): number => {
    const type = table['access_type'];
    const perScan = singleRow.has(`${type}`) ? 1 : (numberOf(table, 'rows_examined_per_scan', 'rows') ?? 1);
    const rows = Math.min(maxRows, Math.max(1, loops) * Math.max(1, perScan));
    const indexes = [...new Set(keysOf(table))];
    accesses.push({
      alias,
      indexes,
      rows,
      covering: table['using_index'] === true,
      ranged: rangedTypes.has(`${type}`),
    });
    const filtered = numberOf(table, 'filtered') ?? 100;
    const produced = numberOf(table, 'rows_produced_per_join') ?? (rows * filtered) / 100;
    for (const [key, child] of Object.entries(table)) {
      // A derived table is made once; a dependent subquery runs for each row.
      if (key === 'materialized_from_subquery' || key === 'materialized') visit(child, 1);
      else if (isObject(child) || Array.isArray(child)) visit(child, Math.min(maxRows, rows));
    }
    return Math.max(1, Math.min(maxRows, produced));
  };

  visit(root, 1);
  return { accesses, empty, partial };
}

/** `key` of the table, and those of the parts of an index merge. */
function keysOf(table: Json): string[] {
  const own = table['key'];
  const merged = table['index_merge'];
  if (merged !== undefined) return allKeys(merged);
  if (typeof own !== 'string') return [];
  const inside = /^(?:union|intersect|sort_union)\((.*)\)$/.exec(own)?.[1];
  return inside === undefined
    ? [own]
    : inside.split(/,|(?:union|intersect|sort_union)\(|\)/).filter((one) => one !== '');
}

function allKeys(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(allKeys);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, one]) =>
    key === 'key' && typeof one === 'string' ? [one] : allKeys(one),
  );
}

function numberOf(node: Json, ...names: string[]): number | undefined {
  for (const name of names) {
    const value = Number(node[name]);
    if (node[name] !== undefined && Number.isFinite(value)) return value;
  }
  return undefined;
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;
