import { describe, expect, it } from 'vitest';
import { type PlanNode, readPlan } from '../../../src/attribution/plan.ts';

const scan = (name: string, more: Partial<PlanNode> = {}): PlanNode => ({
  'Node Type': 'Seq Scan',
  'Relation Name': name,
  Schema: 's',
  'Plan Rows': 10,
  ...more,
});

describe('reading a plan', () => {
  it('names tables and indexes, those of bitmap scans by the heap scan above them', () => {
    const { tables } = readPlan({
      'Node Type': 'Bitmap Heap Scan',
      'Relation Name': 't',
      Schema: 's',
      'Plan Rows': 5,
      Plans: [
        {
          'Node Type': 'BitmapOr',
          Plans: [
            { 'Node Type': 'Bitmap Index Scan', 'Index Name': 'a' },
            { 'Node Type': 'Bitmap Index Scan', 'Index Name': 'b' },
          ],
        },
      ],
    });
    expect(tables.map((one) => [one.schema, one.name, [...one.indexes.keys()], one.fetched])).toEqual([
      ['s', 't', ['a', 'b'], 5],
    ]);
  });

  it('expects the inner side of a nested loop once for each outer row', () => {
    const { tables } = readPlan({
      'Node Type': 'Nested Loop',
      Plans: [
        scan('outer', { 'Parent Relationship': 'Outer', 'Plan Rows': 100 }),
        scan('inner', {
          'Parent Relationship': 'Inner',
          'Node Type': 'Index Scan',
          'Index Name': 'i',
          'Plan Rows': 2,
        }),
      ],
    });
    expect(tables.find((one) => one.name === 'outer')?.scanned).toBe(1);
    expect(tables.find((one) => one.name === 'inner')?.fetched).toBe(200);
    expect(tables.find((one) => one.name === 'inner')?.indexes.get('i')).toBeGreaterThan(200);
  });

  it('leaves foreign tables out, and marks what is written', () => {
    const { tables } = readPlan({
      'Node Type': 'ModifyTable',
      'Relation Name': 't',
      Schema: 's',
      Plans: [scan('far', { 'Node Type': 'Foreign Scan' })],
    });
    expect(tables.map((one) => [one.name, one.modified])).toEqual([['t', true]]);
  });

  it('tells columns that are looked at or sent from those only passed on', () => {
    const { used } = readPlan({
      'Node Type': 'Aggregate',
      Output: ['count(*)'],
      Plans: [scan('t', { Output: ['t.id', 't.payload', 'length(t.title)'], Filter: '(t.kind = $1)' })],
    });
    expect(used).toEqual(expect.arrayContaining(['count(*)', 'length(t.title)', '(t.kind = $1)']));
    expect(used).not.toContain('t.payload');
  });
});
