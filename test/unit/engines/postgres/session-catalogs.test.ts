import { describe, expect, it } from 'vitest';
import type { PostgresConnections } from '../../../../src/engines/postgres/connections.ts';
import { SessionCatalogs } from '../../../../src/engines/postgres/session-catalogs.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';

const big = { database: 'app', schema: 'public', name: 'big' };
const rows = [
  {
    oid: 1255,
    name: 'pg_proc',
    kind: 'table',
    parent: null,
    tablespace: 1663,
    database_oid: 5,
    filenode_number: 1255,
  },
  {
    oid: 1260,
    name: 'pg_authid',
    kind: 'table',
    parent: null,
    tablespace: 1664,
    database_oid: 0,
    filenode_number: 1260,
  },
];

/** A mock of connections to two databases that answer, or not. */
function catalogs(answer: (database: string) => unknown[]) {
  const asked: string[] = [];
  let nowMs = 0;
  const connections = {
    databases: ['app', 'shop'],
    query: async (database: string) => {
      asked.push(database);
      return answer(database);
    },
  } as unknown as PostgresConnections;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  return {
    asked,
    known: new SessionCatalogs(connections, silentLogger, clock),
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe('the catalogs beside what a VM reads', () => {
  it('are asked for once in a while, of configured databases, and what these share comes once', async () => {
    const { asked, known, pass } = catalogs(() => rows);
    const relations = [big, { ...big, database: 'shop' }, { ...big, database: 'elsewhere' }];
    const found = await known.beside(relations);
    expect(found.map(({ database, name }) => `${database} ${name}`)).toEqual(
      expect.arrayContaining(['app pg_proc']),
    );
    expect(found.filter(({ name }) => name === 'pg_authid').length).toBe(1);
    expect(await known.find({ ...big, schema: 'pg_catalog', name: 'pg_proc' })).toMatchObject({ oid: 1255 });
    expect(await known.find(big)).toBeUndefined();
    expect(asked).toEqual(['app', 'shop']);
    pass(600_000);
    await known.beside([big]);
    expect(asked).toEqual(['app', 'shop', 'app']);
  });

  it('are none where the server does not tell them, and asked for again the next time', async () => {
    let fails = true;
    const { asked, known } = catalogs(() => {
      if (fails) throw new Error('canceling statement due to statement timeout');
      return rows;
    });
    expect(await known.beside([big])).toEqual([]);
    expect(await known.find({ ...big, schema: 'pg_catalog', name: 'pg_proc' })).toBeUndefined();
    fails = false;
    expect((await known.beside([big])).length).toBe(2);
    expect(asked.length).toBe(3);
  });
});
