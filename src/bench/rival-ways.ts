import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pairKey } from '../broker/bucket.ts';
import { warmAhead } from '../lab/experiment/arms.ts';
import { goHome, type Warming } from '../lab/experiment/move.ts';
import { postgresOf } from '../lab/experiment/postgres-database.ts';
import { replicas, type Site, tableOf, tables, vms } from '../lab/experiment/site.ts';
import type { PostgresServer } from '../lab/postgres-server.ts';
import { until } from '../lab/run.ts';
import { systemClock } from '../lib/clock.ts';
import { loggedStatements } from './sampled-statements.ts';

/** What the ways need to know of each other. */
export interface WayContext {
  readonly site: Site;
  /** How long a mirror runs, in ms. */
  readonly mirrorMs: number;
  /** How long Forewarm took last, in ms. */
  readonly forewarmMs: number;
}

/** One way of warming a target before a VM comes, as an operator would do it. */
export interface Way {
  readonly name: string;
  readonly title: string;
  readonly explained: string;
  readonly color: string;
  /** Without one, nothing is warmed. */
  readonly warm?: (context: WayContext) => Promise<Warming | undefined>;
  /** The control: the target has served the VM all along. */
  readonly control?: true;
  /** Why it cannot be done here; undefined when it can. */
  readonly missing?: (site: Site) => Promise<string | undefined>;
  /** About how long it takes, in ms. */
  readonly expectedMs: number;
}

const mover = tableOf(vms.mover);
const relations = [mover, `${mover}_pkey`];
/** Of the statements at the source that its log tells. */
export const sampledShare = 0.1;
const replayed = { most: 10_000, connections: 4 };

export const control: Way = {
  name: 'warm',
  title: 'always warm',
  explained: 'control: the target had served the VM all along',
  color: '#8b919c',
  control: true,
  expectedMs: 5_000,
};

/** In the order of a repetition; the sleep stands behind the one that it copies. */
export const ways: readonly Way[] = [
  {
    name: 'cold',
    title: 'cold',
    explained: 'nothing is done before the move',
    color: '#3b6fd4',
    expectedMs: 0,
  },
  {
    name: 'forewarm-blocks',
    title: 'Forewarm, blocks',
    explained: "the blocks that the source's pool holds of what the VM reads",
    color: '#e2571e',
    warm: ({ site }) => forewarm(site),
    expectedMs: 6_000,
  },
  {
    name: 'sleep',
    title: 'sleep',
    explained: 'as long as Forewarm took, without any warming',
    color: '#9aa7bd',
    warm: async ({ forewarmMs }) => systemClock.sleep(forewarmMs).then(() => undefined),
    expectedMs: 5_000,
  },
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
  {
    name: 'mirror-1',
    title: 'mirrored 1 %',
    explained: "one of a hundred of the VM's reads done at the target too",
    color: '#c0568f',
    warm: (context) => mirror(context, 0.01),
    expectedMs: 10_000,
  },
  {
    name: 'mirror-10',
    title: 'mirrored 10 %',
    explained: "one of ten of the VM's reads done at the target too",
    color: '#8f2f63',
    warm: (context) => mirror(context, 0.1),
    expectedMs: 10_000,
  },
  {
    name: 'replay',
    title: 'replay of samples',
    explained: `statements of the VM from the source's log, which tells ${sampledShare * 100} % of them, the last ${replayed.most.toLocaleString('en-US')} at most`,
    color: '#5c7a29',
    warm: ({ site }) => replay(site),
    expectedMs: 7_000,
  },
  {
    name: 'forewarm-relations',
    title: 'Forewarm, relations',
    explained: "the source's agent is away: whole relations by the last profile that it published",
    color: '#f0a37e',
    warm: ({ site }) => forewarmRelations(site),
    expectedMs: 15_000,
  },
];

async function forewarm(site: Site): Promise<Warming> {
  return warmAhead(site, { vm: vms.mover, tables });
}

/** Physical replicas have one catalog: what the source's pool holds can be hidden only by an agent that is away. */
async function forewarmRelations(site: Site): Promise<Warming> {
  const agent = site.agents.source;
  await agent.stop();
  return warmAhead(site, { vm: vms.mover, tables });
}

/** After a way that stopped it: the source's agent knows the VM again, which reads there. */
export async function restoreSourceAgent(site: Site): Promise<void> {
  await goHome(site);
  const startedMs = Date.now();
  site.agents.source.start();
  await until(
    'the source to have published a profile again',
    async () => {
      const found = await site.broker.profiles.get(pairKey(replicas.source, vms.mover));
      const at = Date.parse(found?.value.at ?? '');
      return at > startedMs && (found?.value.relations.length ?? 0) > 0 ? true : undefined;
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );
}

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

async function mirror({ site, mirrorMs }: WayContext, share: number): Promise<undefined> {
  site.mover.mirror(site.target.url, share);
  await systemClock.sleep(mirrorMs);
  site.mover.mirror(site.target.url, 0);
  return undefined;
}

/** Lets the source log a share of its statements with their parameters from now on. */
export async function logSamples(server: PostgresServer): Promise<void> {
  await server.query(`ALTER SYSTEM SET log_statement_sample_rate = ${sampledShare}`);
  await server.query('ALTER SYSTEM SET log_min_duration_sample = 0');
  await server.query('SELECT pg_reload_conf()');
}

async function replay(site: Site): Promise<undefined> {
  const { most, connections } = replayed;
  const statements = loggedStatements(postgresOf(site.source).log(), { role: vms.mover, most });
  let next = 0;
  const work = async () => {
    const client = await postgresOf(site.target).connect({ role: vms.mover });
    try {
      for (let at = next++; at < statements.length; at = next++) {
        const { text = '', values = [] } = statements[at] ?? {};
        await client.query(text, [...values]);
      }
    } finally {
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  return undefined;
}
