import { describe, expect, it } from 'vitest';
import { askable, normalized } from '../../../src/attribution/mysql-askable.ts';
import { writtenTables } from '../../../src/attribution/mysql-tables.ts';
import {
  assignedColumns,
  plainQuotes,
  readsOnlySystem,
  shapeOf,
  withoutExecute,
} from '../../../src/attribution/mysql-text.ts';
import { tokenize } from '../../../src/attribution/mysql-tokens.ts';

const tablesOf = (text: string) =>
  writtenTables(tokenize(text)).map(({ database, name, alias }) =>
    [database === undefined ? name : `${database}.${name}`, alias === name ? '' : ` ${alias}`].join(''),
  );

describe('tables of a text', () => {
  it.each([
    ['SELECT 1', []],
    ['SELECT * FROM a, `b c` AS x, d.e y, z WHERE a.i IN (1, 2)', ['a', 'b c x', 'd.e y', 'z']],
    ['select t.* from ((a join b using (i)) left join c on c.i = a.i) where 1', ['a', 'b', 'c']],
    [
      'SELECT (SELECT MAX(i) FROM inner_one), EXTRACT(YEAR FROM day) FROM outer_one',
      ['inner_one', 'outer_one'],
    ],
    ["SELECT TRIM(LEADING 'x' FROM name), SUBSTRING(name FROM 2) FROM t", ['t']],
    [
      'WITH c AS (SELECT * FROM a), d (x, y) AS (SELECT 1, 2 FROM b) SELECT * FROM c JOIN d JOIN e',
      ['a', 'b', 'e'],
    ],
    ['WITH RECURSIVE r AS (SELECT 1 FROM a UNION ALL SELECT i FROM r JOIN b) SELECT * FROM r', ['a', 'b']],
    ['SELECT * FROM a USE INDEX (i, j) STRAIGHT_JOIN b PARTITION (p1, p2) AS q', ['a', 'b q']],
    ['SELECT * FROM a WHERE i IN (SELECT i FROM b) UNION SELECT * FROM c FOR UPDATE', ['a', 'b', 'c']],
    ['SELECT * FROM a -- FROM b\n WHERE s = "FROM c" # FROM d\n /* , e */', ['a']],
    ['SELECT * FROM a, LATERAL (SELECT i FROM b WHERE b.i = a.i) AS l', ['a', 'b']],
    ["SELECT j.i FROM a, JSON_TABLE(a.doc, '$' COLUMNS (i int PATH '$.i')) AS j", ['a']],
    ['INSERT INTO a (i, j) SELECT i, j FROM b ON DUPLICATE KEY UPDATE i = 1', ['a', 'b']],
    ['INSERT LOW_PRIORITY IGNORE `a` VALUES (1), (2)', ['a']],
    ['UPDATE LOW_PRIORITY a x, b SET x.i = b.i WHERE x.j = b.j', ['a x', 'b']],
    ['DELETE x FROM a AS x JOIN b ON b.i = x.i', ['a x', 'b']],
    ['SELECT INSERT(s, 1, 2, t) FROM a GROUP BY i, j', ['a']],
    ['SELECT 1 FROM `Tabelle ``Ä``` WHERE `from` = 1', ['Tabelle `Ä`']],
    ['SELECT 1 FROM a SELECT (((', ['a']],
  ])('%s', (text, expected) => {
    expect(tablesOf(text)).toEqual(expected);
  });
});

describe('shape of a text', () => {
  it.each([
    ['SELECT 1', 'query'],
    ['(SELECT 1) UNION (SELECT 2)', 'query'],
    ['/* a */ WITH c AS (SELECT 1) SELECT * FROM c FOR UPDATE', 'query'],
    ['WITH c AS (SELECT 1) DELETE FROM t', 'write'],
    ['INSERT INTO t VALUES (1)', 'write'],
    ['CALL p()', 'opaque'],
    ['SET @a = (SELECT 1)', 'control'],
    ['SET @a = (SELECT MAX(i) FROM t)', 'write'],
    ['CREATE TEMPORARY TABLE n AS SELECT i FROM t', 'write'],
    ['CREATE VIEW v AS SELECT i FROM t', 'opaque'],
    ['EXECUTE s USING @a', 'control'],
    ['EXPLAIN SELECT 1', 'control'],
    ['', 'control'],
  ])('%s: %s', (text, kind) => {
    expect(shapeOf(text).kind).toBe(kind);
  });

  it.each([
    ['INSERT INTO a (i) (SELECT i FROM b)', '(SELECT i FROM b)', 'INSERT INTO a (i) (SELECT i FROM b)'],
    ['INSERT INTO a WITH c AS (SELECT 1) SELECT * FROM c', 'WITH c AS (SELECT 1) SELECT * FROM c', undefined],
    ['INSERT INTO a VALUES ((SELECT MAX(i) FROM b))', undefined, undefined],
    ['CREATE TABLE n (i int) AS SELECT i FROM t', 'SELECT i FROM t', null],
    [
      'WITH c AS (SELECT 1) DELETE FROM t WHERE i',
      'WITH c AS (SELECT 1) SELECT 1 FROM  t WHERE i',
      'DELETE FROM t WHERE i',
    ],
  ])('%s is asked about as %s', (text, query, target) => {
    const shape = shapeOf(text) as { asQuery?: string; target?: string };
    expect(shape.asQuery).toBe(query);
    if (target !== undefined) expect(shape.target).toBe(target ?? undefined);
  });

  it('finds the rows of a write by a query', () => {
    expect(shapeOf('UPDATE a x SET i = 1 WHERE x.j = 2')).toMatchObject({
      asQuery: 'SELECT 1 FROM a x  WHERE x.j = 2',
    });
    expect(shapeOf('DELETE FROM a WHERE j = 2')).toMatchObject({ asQuery: 'SELECT 1 FROM  a WHERE j = 2' });
    expect(shapeOf('INSERT INTO a SELECT i FROM b ON DUPLICATE KEY UPDATE i = 1')).toMatchObject({
      asQuery: 'SELECT i FROM b ',
    });
    expect([...assignedColumns('UPDATE a SET `I` = 1, a.j = j + 1 WHERE k = 3')]).toEqual(['i', 'j']);
  });

  it('knows statements that the server prepared, and those that read only its own catalogs', () => {
    expect(withoutExecute('EXECUTE SELECT `a` FROM `t`')).toBe('SELECT `a` FROM `t`');
    expect(withoutExecute('EXECUTE `select_it`')).toBe('EXECUTE `select_it`');
    expect(readsOnlySystem([{ database: 'performance_schema' }])).toBe(true);
    expect(readsOnlySystem([{ database: 'performance_schema' }, {}])).toBe(false);
    expect(readsOnlySystem([])).toBe(false);
  });
});

describe('a text for the planner', () => {
  const isDate = (column: string) => column === 'day';

  it.each([
    ['SELECT a FROM t WHERE id = ?', "SELECT a FROM t WHERE id IN ('1', '2')"],
    [
      'SELECT a FROM t WHERE `day` = ? AND id > ?',
      "SELECT a FROM t WHERE `day` IN ('2026-01-01', '2026-01-02') AND id > '1'",
    ],
    [
      'SELECT a FROM t WHERE day BETWEEN ? AND ? LIMIT ?, ?',
      "SELECT a FROM t WHERE day BETWEEN '2026-01-01' AND '2026-01-01' LIMIT 10, 10",
    ],
    ['SELECT COUNT ( * ) FROM `t` WHERE `id` IN (...)', "SELECT COUNT( * ) FROM `t` WHERE `id` IN('1')"],
    ['SELECT a FROM t WHERE id = ? + 1', "SELECT a FROM t WHERE id = '1' + 1"],
    ['SELECT a FROM t WHERE id = 7 FOR UPDATE;', 'SELECT a FROM t WHERE id = 7'],
    ['SELECT a FROM t LOCK IN SHARE MODE', 'SELECT a FROM t'],
    ["SELECT a INTO OUTFILE '/x' FROM t", 'SELECT a  FROM t'],
    ['SELECT a INTO @x, @y FROM t', 'SELECT a  FROM t'],
    ["SELECT a /*!50000 INTO OUTFILE '/x' */ FROM t -- b", 'SELECT a FROM t'],
    ['SELECT /*+ NO_INDEX(t) */ a FROM t', 'SELECT /*+ NO_INDEX(t) */ a FROM t'],
  ])('%s', (text, expected) => {
    expect(askable(text, isDate)).toBe(expected);
  });

  it('has names in backquotes where the application has them in double quotes', () => {
    expect(plainQuotes('SELECT "a" FROM "T x" WHERE s = \'"\'')).toBe("SELECT `a` FROM `T x` WHERE s = '\"'");
    expect(plainQuotes('SELECT a FROM t WHERE s = "b"')).toBe('SELECT a FROM t WHERE s = "b"');
  });

  it('is not made of a beginning', () => {
    expect(askable('SELECT a FROM t WHERE b = 1 AND ...', isDate)).toBeUndefined();
  });

  it('has no value once it is normalized', () => {
    expect(normalized("SELECT a FROM `T x` WHERE i IN (1, 2, 3) AND s = 'secret' -- b")).toBe(
      'select a from `T x` where i in ( ? ) and s = ?',
    );
  });
});
