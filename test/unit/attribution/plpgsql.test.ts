import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPlpgsql } from '../../../src/attribution/plpgsql.ts';

const queries = (body: string, names: string[] = []) => readPlpgsql(body, names).queries;

describe('queries inside PL/pgSQL', () => {
  it.each([
    ['BEGIN SELECT a INTO STRICT x.b, y FROM t WHERE c = 1; END', 'SELECT a FROM t WHERE c = 1'],
    ['BEGIN PERFORM f(1) FROM t; END', 'SELECT f(1) FROM t'],
    ['BEGIN RETURN QUERY SELECT 1; END', 'SELECT 1'],
    ['BEGIN FOR r IN SELECT * FROM t LOOP NULL; END LOOP; END', 'SELECT * FROM t'],
    ['BEGIN IF EXISTS (SELECT 1 FROM t) THEN NULL; END IF; END', 'SELECT EXISTS (SELECT 1 FROM t)'],
    ['DECLARE n int; BEGIN n := (SELECT max(i) FROM t); END', 'SELECT (SELECT max(i) FROM t)'],
    [
      'BEGIN UPDATE t SET v = CASE WHEN a THEN 1 ELSE 2 END; END',
      'UPDATE t SET v = CASE WHEN a THEN 1 ELSE 2 END',
    ],
    ['BEGIN INSERT INTO log VALUES (1); END', 'INSERT INTO log VALUES (1)'],
    ['DECLARE c CURSOR FOR SELECT 1 FROM t; BEGIN OPEN c; END', 'SELECT 1 FROM t'],
    ['BEGIN OPEN c FOR SELECT 2 FROM t; END', 'SELECT 2 FROM t'],
  ])('of %j', (body, query) => {
    expect(queries(body)).toEqual([query]);
  });

  it('have variables, fields and triggers rows as parameters, but not columns or functions of their name', () => {
    const body = `DECLARE line record; lim int := 3;
      BEGIN
        FOR line IN SELECT 1 LOOP
          PERFORM f(line.id, line.id) FROM t WHERE t.lim >= lim AND id <> NEW.id AND lim(wanted) = $1;
        END LOOP;
      END`;
    expect(queries(body, ['wanted'])[1]).toBe(
      'SELECT f($2, $2) FROM t WHERE t.lim >= $3 AND id <> $4 AND lim($5) = $1',
    );
  });

  it('tells where SQL is built at run time', () => {
    expect(readPlpgsql(`BEGIN EXECUTE 'SELECT ' || x; END`)).toEqual({ queries: [], dynamic: true });
    expect(readPlpgsql('BEGIN NULL; END').dynamic).toBe(false);
  });

  it('never throws', () => {
    const word = fc.constantFrom(
      'BEGIN',
      'FOR',
      'IN',
      'SELECT',
      'INTO',
      ';',
      '(',
      ')',
      'CASE',
      'END',
      'x',
      '.',
      ':=',
      'DECLARE',
    );
    fc.assert(fc.property(fc.array(word), (words) => Array.isArray(queries(words.join(' '), ['x']))));
  });
});
