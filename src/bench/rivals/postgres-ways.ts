import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { postgresOf } from '../../lab/experiment/postgres-database.ts';
import { type Site, tableOf, vms } from '../../lab/experiment/site.ts';
import { cold, forewarm, forewarmRelations, mirrors, sleep } from './common-ways.ts';
import { replaySamples } from './replay.ts';
import { loggedStatements } from './sampled-statements.ts';
import { replayed, sampledShare, type Way } from './way.ts';

const mover = tableOf(vms.mover);
const relations = [mover, `${mover}_pkey`];

/** In the order of a repetition. */
export const postgresWays: readonly Way[] = [
  cold,
  forewarm({
    name: 'forewarm-blocks',
    title: 'Forewarm, blocks',
    explained: "the blocks that the source's pool holds of what the VM reads",
    expectedMs: 6_000,
  }),
  sleep,
  {
    name: 'whole-table',
    title: 'pg_prewarm, whole',
    explained: "pg_prewarm of the VM's whole table, then of its primary key",
    color: '#2f9e6e',
    async warm({ site }) {
      const server = postgresOf(site.target);
      for (const relation of relations) await server.query('SELECT pg_prewarm($1::regclass)', [relation]);
      return undefined;
    },
    expectedMs: 9_000,
  },
  {
    name: 'select',
    title: 'SELECT scans',
    explained: 'a sequential scan of the table and an index-only scan of its key',
    color: '#7a56c9',
    async warm({ site }) {
      const client = await postgresOf(site.target).connect();
      try {
        await client.query(`SELECT count(filler) FROM ${mover}`);
        await client.query('SET enable_seqscan = off; SET enable_bitmapscan = off');
        await client.query(`SELECT count(id) FROM ${mover}`);
      } finally {
        await client.end();
      }
      return undefined;
    },
    expectedMs: 10_000,
  },
  {
    name: 'autoprewarm',
    title: 'autoprewarm dump',
    explained:
      "the source's autoprewarm.blocks, each block by pg_prewarm at the running target: autoprewarm itself loads it at a restart only",
    color: '#b7791f',
    warm: ({ site }) => carryDump(site),
    expectedMs: 5_000,
  },
  {
    name: 'pgfincore',
    title: 'pgfincore',
    explained: "the source's page cache as pgfincore tells it, loaded into the target's",
    color: '#0e8a9e',
    missing: async (site) =>
      (await postgresOf(site.target).query("SELECT FROM pg_available_extensions WHERE name = 'pgfincore'"))
        .length === 0
        ? 'this PostgreSQL has no extension pgfincore (FOREWARM_PG_BIN names one that has, such as Debian’s with postgresql-NN-pgfincore)'
        : undefined,
    warm: ({ site }) => carryPageCache(site),
    expectedMs: 5_000,
  },
  ...mirrors,
  {
    name: 'replay',
    title: 'replay of samples',
    explained: `statements of the VM from the source's log, which tells ${sampledShare * 100} % of them, the last ${replayed.most.toLocaleString('en-US')} at most`,
    color: '#5c7a29',
    prepare: logSamples,
    warm: ({ site }) => replay(site),
    expectedMs: 7_000,
  },
  forewarmRelations,
];

async function carryDump(site: Site): Promise<undefined> {
  const [source, target] = [postgresOf(site.source), postgresOf(site.target)];
  await source.query('SELECT autoprewarm_dump_now()');
  const dump = readFileSync(join(source.dataDir, 'autoprewarm.blocks'), 'utf8');
  const [own] = await target.query<{ oid: string }>(
    'SELECT oid::text FROM pg_database WHERE datname = current_database()',
  );
  const client = await target.connect();
  try {
    for (const [place, blocks] of dumpedBlocks(dump, own?.oid ?? '')) {
      const [tablespace, filenode] = place.split(',');
      await client.query(
        `SELECT sum(pg_prewarm(r, 'buffer', 'main', b, b))
           FROM pg_filenode_relation($1, $2) AS r, unnest($3::int8[]) AS b WHERE r IS NOT NULL`,
        [tablespace, filenode, blocks],
      );
    }
  } finally {
    await client.end();
  }
  return undefined;
}

/** Blocks of main forks in one database, by `tablespace,filenode`, in the dump's order. */
export function dumpedBlocks(dump: string, database: string): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const line of dump.split('\n').slice(1)) {
    const [of, tablespace, filenode, fork, block] = line.split(',');
    if (of !== database || fork !== '0' || block === undefined) continue;
    const place = `${tablespace},${filenode}`;
    const blocks = found.get(place) ?? [];
    blocks.push(Number(block));
    found.set(place, blocks);
  }
  return found;
}

async function carryPageCache(site: Site): Promise<undefined> {
  const [source, target] = [postgresOf(site.source), postgresOf(site.target)];
  for (const relation of relations) {
    const segments = await source.query<{ segment: number; bits: string }>(
      'SELECT segment, databit::text AS bits FROM pgfincore($1::text, true)',
      [relation],
    );
    for (const { segment, bits } of segments) {
      await target.query('SELECT pgfadvise_loader($1::text, $2::int, true, false, $3::varbit)', [
        relation,
        segment,
        bits,
      ]);
    }
  }
  return undefined;
}

/** Lets the source log a share of its statements with their parameters from now on. */
async function logSamples({ source }: Site): Promise<void> {
  const server = postgresOf(source);
  await server.query(`ALTER SYSTEM SET log_statement_sample_rate = ${sampledShare}`);
  await server.query('ALTER SYSTEM SET log_min_duration_sample = 0');
  await server.query('SELECT pg_reload_conf()');
}

async function replay(site: Site): Promise<undefined> {
  const statements = loggedStatements(postgresOf(site.source).log(), {
    role: vms.mover,
    most: replayed.most,
  });
  return replaySamples(statements, async () => {
    const client = await postgresOf(site.target).connect({ role: vms.mover });
    return {
      run: async ({ text, values }) => void (await client.query(text, [...values])),
      close: () => client.end(),
    };
  });
}
