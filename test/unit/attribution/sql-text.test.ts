import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  castParameters,
  parameterCount,
  repairNormalized,
  shapeOf,
  withoutLocking,
  writtenNames,
} from '../../../src/attribution/sql-text.ts';
import { tokenize } from '../../../src/attribution/sql-tokens.ts';

describe('tokens', () => {
  it.each([
    [`SELECT "a""b" FROM x`, ['name:select', 'quoted:a"b', 'name:from', 'name:x']],
    [`/* a /* nested */ ; */ 'it''s' -- ;\n;`, ["string:it's", 'symbol:;']],
    [`E'a\\'; b' U&"d\\0061t"`, ["string:a'; b", 'quoted:d\\0061t']],
    [`$1 $f$ ; $1 $f$ $$x$$`, ['parameter:$1', 'dollar: ; $1 ', 'dollar:x']],
    [
      `Größe.ÄB::text 1.5e3 a$b`,
      ['name:größe', 'symbol:.', 'name:Äb', 'symbol:::', 'name:text', 'number:1.5e3', 'name:a$b'],
    ],
    [`'open`, ['string:open']],
  ])('of %j', (text, expected) => {
    expect(tokenize(text).map((token) => `${token.type}:${token.value}`)).toEqual(expected);
  });

  it('never overlap, and end, whatever the text is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const tokens = tokenize(text);
        return tokens.every(
          (token, at) =>
            token.end > token.start && token.start >= (tokens[at - 1]?.end ?? 0) && token.end <= text.length,
        );
      }),
    );
  });
});

describe('the shape of a statement', () => {
  it.each([
    ['-- x\n/* y */ SELECT 1;', { kind: 'query', text: 'SELECT 1' }],
    ['(SELECT 1) UNION SELECT 2', { kind: 'query', text: '(SELECT 1) UNION SELECT 2' }],
    ['PREPARE q (int) AS SELECT 1', { kind: 'query', text: 'SELECT 1', prepares: 'q' }],
    ['DECLARE "C" CURSOR WITH HOLD FOR SELECT 1', { kind: 'query', text: 'SELECT 1', declares: 'C' }],
    ['COPY (SELECT a FROM (SELECT 1) x) TO STDOUT', { kind: 'query', text: 'SELECT a FROM (SELECT 1) x' }],
    ['COPY s."T" (a) TO STDOUT', { kind: 'query', text: 'SELECT * FROM s."T"' }],
    ['COPY t FROM STDIN', { kind: 'opaque', verb: 'copy' }],
    ['CREATE TEMP TABLE x AS SELECT 1', { kind: 'query', text: 'SELECT 1' }],
    ['EXPLAIN (ANALYZE) SELECT 1', { kind: 'query', text: 'SELECT 1' }],
    ['EXECUTE q($1)', { kind: 'execute', name: 'q' }],
    ['FETCH FORWARD $1 FROM "C"', { kind: 'fetch', name: 'C' }],
    ['CALL p($1)', { kind: 'opaque', verb: 'call' }],
    ['VACUUM t', { kind: 'opaque', verb: 'vacuum' }],
    ['BEGIN', { kind: 'control', verb: 'begin' }],
    ['', { kind: 'control', verb: '' }],
    [`SET LOCAL search_path TO "A b", 'c', D`, { kind: 'set_path', path: ['A b', 'c', 'd'] }],
    ['SET work_mem = $1', { kind: 'control', verb: 'set' }],
  ])('of %j', (text, shape) => {
    expect(shapeOf(text)).toEqual(shape);
  });

  it('never calls a text that begins with something else a query, so nothing else is put after EXPLAIN', () => {
    for (const text of [
      'ANALYZE t',
      'ANALYZE SELECT 1',
      'DROP TABLE t',
      'DO $$ SELECT $$',
      'x SELECT',
      '; SELECT 1',
    ]) {
      expect(shapeOf(text).kind, text).not.toBe('query');
    }
  });
});

describe('normalized texts', () => {
  it.each([
    ['SELECT now() - interval $1', 'SELECT now() - $1::interval'],
    ['SELECT date $1, TIMESTAMP $2', 'SELECT $1::date, $2::timestamp'],
    ['SELECT timestamp with time zone $1', 'SELECT $1::timestamp with time zone'],
    ['SELECT x AT TIME ZONE $1', 'SELECT x AT TIME ZONE $1'],
    ['SELECT extract($1 FROM c)', 'SELECT extract(epoch FROM c)'],
    [`SELECT 'interval $1' LIMIT $2`, `SELECT 'interval $1' LIMIT $2`],
    ['SELECT $1::text', 'SELECT $1::text'],
  ])('are repaired: %j', (text, repaired) => {
    expect(repairNormalized(text)).toBe(repaired);
  });

  it('have parameters counted and cast outside of strings only', () => {
    const text = `SELECT $2, '$9', $$ $8 $$, $1 -- $7`;
    expect(parameterCount(text)).toBe(2);
    expect(castParameters(text, new Set([2, 9]))).toBe(`SELECT $2::text, '$9', $$ $8 $$, $1 -- $7`);
  });

  it('lose their locking clause, but only the outer one', () => {
    expect(withoutLocking('SELECT 1 FROM t WHERE x FOR NO KEY UPDATE OF t')).toBe('SELECT 1 FROM t WHERE x ');
    const inner = 'SELECT (SELECT substring(a for 2) FROM t FOR UPDATE)';
    expect(withoutLocking(inner)).toBe(inner);
  });
});

describe('names in a text', () => {
  it('come with their schema and whether they are called, also out of strings when asked', () => {
    const text = `SELECT s."F"(x) FROM "T", format('SELECT v FROM dyn')`;
    expect(writtenNames(text)).toContainEqual({ schema: 's', name: 'F', called: true });
    expect(writtenNames(text)).toContainEqual({ name: 'T', called: false });
    expect(writtenNames(text).map((one) => one.name)).not.toContain('dyn');
    expect(writtenNames(text, { insideStrings: true }).map((one) => one.name)).toContain('dyn');
  });
});
