/** A node of `EXPLAIN (VERBOSE, FORMAT JSON)`. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Parent Relationship'?: string;
  readonly 'Relation Name'?: string;
  readonly Schema?: string;
  readonly Alias?: string;
  readonly 'Index Name'?: string;
  readonly 'Function Name'?: string;
  readonly 'Plan Rows'?: number;
  readonly Output?: readonly string[];
  readonly Plans?: readonly PlanNode[];
  readonly [key: string]: unknown;
}

/** Where the planner would look, with the accesses that its estimates lead to expect. */
export interface PlannedTable {
  readonly schema: string;
  readonly name: string;
  /** Index names of the same schema, with expected accesses. */
  readonly indexes: ReadonlyMap<string, number>;
  /** Rows fetched through an index or by position; a whole scan where `scanned` is above 0. */
  readonly fetched: number;
  /** Whole scans. */
  readonly scanned: number;
  /** Written to, so that its indexes are touched too. */
  readonly modified: boolean;
}

export interface PlanReading {
  readonly tables: readonly PlannedTable[];
  /** Every expression of the plan: columns, conditions, functions called. */
  readonly expressions: readonly string[];
  /** Expressions whose values are looked at or sent: columns that are only passed on are not among them. */
  readonly used: readonly string[];
}

interface MutableTable {
  schema: string;
  name: string;
  indexes: Map<string, number>;
  fetched: number;
  scanned: number;
  modified: boolean;
}

const maxLoops = 1e6;
const expressionKeys = /(?:Cond|Filter|Key|Call|Output|Parameters|Seed)$/;
const plainColumn = /^(?:(?:[\p{L}\p{N}_$]+|"(?:[^"]|"")+")\.)?(?:[\p{L}\p{N}_$]+|"(?:[^"]|"")+")$/u;

/** Reads tables, indexes and expressions out of a plan. */
export function readPlan(root: PlanNode): PlanReading {
  const tables = new Map<string, MutableTable>();
  const expressions: string[] = [];
  const used: string[] = [...(root.Output ?? [])];

  const tableOf = (schema: string, name: string): MutableTable => {
    const key = JSON.stringify([schema, name]);
    const known = tables.get(key);
    if (known !== undefined) return known;
    const fresh: MutableTable = {
      schema,
      name,
      indexes: new Map(),
      fetched: 0,
      scanned: 0,
      modified: false,
    };
    tables.set(key, fresh);
    return fresh;
  };

  const visit = (node: PlanNode, loops: number, heap: MutableTable | undefined): void => {
    const type = node['Node Type'];
    const rows = Math.max(1, node['Plan Rows'] ?? 1);
    const schema = node.Schema;
    const name = node['Relation Name'];
    const table =
      name === undefined || schema === undefined || type === 'Foreign Scan' ? heap : tableOf(schema, name);
    const index = node['Index Name'];
    if (table !== undefined && index !== undefined) {
      const pages = loops * (2 + rows / 150);
      table.indexes.set(index, (table.indexes.get(index) ?? 0) + pages);
    }
    if (table !== undefined && name !== undefined) {
      if (type === 'Seq Scan' || type === 'Sample Scan') table.scanned += loops;
      else if (type === 'Index Only Scan') table.fetched += loops * Math.max(0.1, rows * 0.01);
      else if (type === 'ModifyTable') table.modified = true;
      else table.fetched += loops * rows;
    }
    for (const [key, value] of Object.entries(node)) {
      if (!expressionKeys.test(key)) continue;
      for (const one of Array.isArray(value) ? value : [value]) {
        if (typeof one !== 'string') continue;
        expressions.push(one);
        if (key !== 'Output' || !plainColumn.test(one)) used.push(one);
      }
    }
    const children = node.Plans ?? [];
    const outerRows = children.find((child) => child['Parent Relationship'] === 'Outer')?.['Plan Rows'] ?? 1;
    for (const child of children) {
      visit(child, childLoops(node, child, loops, outerRows), type.startsWith('Bitmap') ? table : undefined);
    }
  };
  visit(root, 1, undefined);
  return { tables: [...tables.values()], expressions, used };
}

function childLoops(node: PlanNode, child: PlanNode, loops: number, outerRows: number): number {
  const relationship = child['Parent Relationship'];
  const repeated =
    node['Node Type'] === 'Nested Loop' && relationship === 'Inner' && child['Node Type'] !== 'Materialize'
      ? outerRows
      : relationship === 'SubPlan'
        ? (node['Plan Rows'] ?? 1)
        : 1;
  const cached = node['Node Type'] === 'Memoize' ? 0.5 : 1;
  return Math.min(maxLoops, loops * Math.max(1, repeated) * cached);
}
