import { describe, expect, it } from 'vitest';
import { readMysqlPlan } from '../../../src/attribution/mysql-plan.ts';

describe('plans', () => {
  it("reads MySQL's joins, derived tables and subqueries", () => {
    const table = (table_name: string, more: object) => ({ table: { table_name, ...more } });
    const plan = readMysqlPlan({
      query_block: {
        ordering_operation: {
          nested_loop: [
            table('a', {
              access_type: 'ref',
              key: 'by_k',
              rows_examined_per_scan: 10,
              rows_produced_per_join: 5,
            }),
            table('b', {
              access_type: 'eq_ref',
              key: 'PRIMARY',
              rows_examined_per_scan: 1,
              rows_produced_per_join: 5,
            }),
            table('d', {
              access_type: 'ALL',
              rows_examined_per_scan: 2,
              materialized_from_subquery: {
                query_block: table('c', {
                  access_type: 'index',
                  key: 'by_x',
                  using_index: true,
                  rows_examined_per_scan: 100,
                }),
              },
            }),
          ],
        },
      },
    });
    expect(plan).toEqual({
      empty: false,
      partial: false,
      accesses: [
        { alias: 'a', indexes: ['by_k'], rows: 10, covering: false, ranged: false },
        { alias: 'b', indexes: ['PRIMARY'], rows: 5, covering: false, ranged: false },
        { alias: 'd', indexes: [], rows: 10, covering: false, ranged: false },
        { alias: 'c', indexes: ['by_x'], rows: 100, covering: true, ranged: false },
      ],
    });
  });

  it("reads MariaDB's rows and filters, and merged indexes of both", () => {
    const mariadb = readMysqlPlan({
      query_block: {
        nested_loop: [
          { table: { table_name: 'a', access_type: 'range', key: 'k', rows: 20, filtered: 50 } },
          {
            table: {
              table_name: 'b',
              access_type: 'index_merge',
              index_merge: { union: [{ range: { key: 'x' } }, { range: { key: 'y' } }] },
              rows: 3,
            },
          },
        ],
      },
    });
    expect(mariadb.accesses).toEqual([
      { alias: 'a', indexes: ['k'], rows: 20, covering: false, ranged: true },
      { alias: 'b', indexes: ['x', 'y'], rows: 30, covering: false, ranged: true },
    ]);
    const mysql = readMysqlPlan({
      table: { table_name: 'b', access_type: 'index_merge', key: 'union(x,y)' },
    });
    expect(mysql.accesses[0]?.indexes).toEqual(['x', 'y']);
  });

  it('knows a plan that tells nothing', () => {
    for (const message of [
      'no matching row in const table',
      'Impossible WHERE noticed after reading const tables',
    ]) {
      expect(readMysqlPlan({ query_block: { table: { message } } })).toEqual({
        accesses: [],
        empty: true,
        partial: true,
      });
    }
    expect(readMysqlPlan('').accesses).toEqual([]);
  });
});
