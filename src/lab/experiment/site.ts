import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Broker, connectBroker } from '../../broker/broker.ts';
import { silentLogger } from '../../lib/logger.ts';
import { fillAppTables, rowsForTable } from '../app-data.ts';
import { type AppVm, startAppVm } from '../app-vm.ts';
import { type LimitedDisk, limitDisk } from '../disk.ts';
import type { DiskProfile } from '../disk-profiles.ts';
import { startNats } from '../nats-server.ts';
import { dropOsCache, residentBytes } from '../os-cache.ts';
import type { OwnedProcesses } from '../owned-processes.ts';
import { type PostgresCluster, startPostgresCluster } from '../postgres-cluster.ts';
import type { PostgresServer, PostgresSettings } from '../postgres-server.ts';
import { AgentProcess } from './agent-process.ts';
import { RouteFollower } from './route-follower.ts';

/** The VM that moves, one that stays at the source, and one that lives at the target. */
export const vms = { mover: 'app1', stayer: 'app2', resident: 'app3' } as const;
export const replicas = { source: 'db1', target: 'db2' } as const;
/** Each VM reads a table of its own, named after it. */
export const tables = Object.values(vms).map(tableOf);

export function tableOf(vm: string): string {
  return `${vm}_data`;
}

/** What is being done, in words, and about how long it takes. */
export interface Stage {
  readonly text: string;
  readonly expectedMs: number;
}

/** How long a site takes to start: its data, then its processes. */
export function startStages({
  tableMb,
  neighbourTableMb,
}: Pick<SiteOptions, 'tableMb' | 'neighbourTableMb'>) {
  return [
    {
      text: 'starting NATS, a primary and two replicas, loading data',
      expectedMs: 3_000 + 16 * (tableMb + 2 * neighbourTableMb),
    },
    { text: 'starting the agents and the application VMs', expectedMs: 3_000 },
  ] as const;
}

export interface SiteOptions {
  readonly owned: OwnedProcesses;
  readonly device: DiskProfile;
  /** As PostgreSQL takes it, e.g. `512MB`; of every server. */
  readonly sharedBuffers: string;
  /** Size of the mover's table in MB of 2^20 bytes, its key not counted. */
  readonly tableMb: number;
  readonly neighbourTableMb: number;
  readonly seed: number;
  readonly clientCount: number;
  /** Share of the mover's table that it reads; default 1/3. */
  readonly hotShare?: number;
  /** Rates of the mover, in transactions a second: before a switch, and after it; as fast as it goes where left out. */
  readonly pace: { readonly before: number; readonly after?: number };
  readonly agentLogLevel?: string;
  /** Of every server, over the lab's own. */
  readonly serverSettings?: PostgresSettings;
  /** Sections of the agents' files, over the lab's own. */
  readonly agentSettings?: Readonly<Record<string, object>>;
  readonly onStage: (stage: Stage) => void;
}

/** Transactions a second of the VMs that do not move. */
const neighbourTps = 200;

/** A primary, two replicas with an agent each, NATS, and three application VMs: all processes of their own. */
export class Site {
  readonly options: SiteOptions;
  readonly cluster: PostgresCluster;
  readonly broker: Broker;
  readonly agents: { readonly source: AgentProcess; readonly target: AgentProcess };
  readonly mover: AppVm;
  readonly route: RouteFollower;
  /** The target's. */
  readonly disk: LimitedDisk;
  readonly #stop = new AbortController();

  private constructor(parts: Pick<Site, 'options' | 'cluster' | 'broker' | 'agents' | 'mover' | 'disk'>) {
    this.options = parts.options;
    this.cluster = parts.cluster;
    this.broker = parts.broker;
    this.agents = parts.agents;
    this.mover = parts.mover;
    this.disk = parts.disk;
    this.route = new RouteFollower({
      broker: this.broker,
      vm: this.mover,
      dsnOf: (replica) => this.cluster.server(replica).url(),
      signal: this.#stop.signal,
    });
  }

  static async start(options: SiteOptions): Promise<Site> {
    const { owned, onStage } = options;
    const [loading, starting] = startStages(options);
    onStage(loading);
    const [nats, cluster] = await Promise.all([startNats({ owned }), startServers(options)]);
    onStage(starting);
    const agentOf = (server: PostgresServer) =>
      AgentProcess.start({
        ...{ owned, nats, server, vms: Object.values(vms) },
        ...(options.agentLogLevel === undefined ? {} : { logLevel: options.agentLogLevel }),
        ...(options.agentSettings === undefined ? {} : { settings: options.agentSettings }),
      });
    const [source, target] = [cluster.server(replicas.source), cluster.server(replicas.target)];
    const [broker, ofSource, ofTarget, mover] = await Promise.all([
      connectBroker({
        url: nats.url,
        prefix: 'forewarm',
        name: 'forewarm lab',
        timeoutMs: 10_000,
        logger: silentLogger,
      }),
      agentOf(source),
      agentOf(target),
      startVm(options, { vm: vms.mover, server: source, tableMb: options.tableMb }),
      startVm(options, { vm: vms.stayer, server: source, tableMb: options.neighbourTableMb }),
      startVm(options, { vm: vms.resident, server: target, tableMb: options.neighbourTableMb }),
    ]);
    const agents = { source: ofSource, target: ofTarget };
    await Promise.all([agents.source.answering(broker), agents.target.answering(broker)]);
    const disk = await limitDisk({
      owned,
      profile: options.device,
      pids: pidsOf(target),
      dir: target.dataDir,
    });
    const site = new Site({ options, cluster, broker, agents, mover, disk });
    await site.route.start(replicas.source);
    return site;
  }

  get source(): PostgresServer {
    return this.cluster.server(replicas.source);
  }

  get target(): PostgresServer {
    return this.cluster.server(replicas.target);
  }

  /**
   * Starts the target anew with nothing in its pool or in the page cache, and lets its own resident find its
   * place again. Gives the bytes of its files that the page cache held before the start, where that is known.
   */
  async coolTarget(): Promise<number | undefined> {
    const { target } = this;
    await target.stop('fast');
    await dropOsCache(target.dataDir);
    const residentAtStart = await residentBytes(target.dataDir);
    await target.start();
    for (const pid of pidsOf(target)) this.disk.add(pid);
    await this.cluster.waitForReplay();
    const table = tableOf(vms.resident);
    await target.query(
      `SELECT pg_prewarm(c) FROM unnest(ARRAY['${table}', '${table}_pkey']::regclass[]) AS c`,
    );
    await this.agents.target.answering(this.broker);
    return residentAtStart;
  }

  /**
   * What the target has read from its disk. Where the kernel does not tell: what the mover's statements did not
   * find in the pool, for the server's other counters come seconds late.
   */
  async targetReads(): Promise<{ readonly bytes: number; readonly operations: number | undefined }> {
    const counted = this.disk.counters();
    if (counted !== undefined) return counted;
    const [row] = await this.target.query<{ blocks: string }>(
      'SELECT coalesce(sum(shared_blks_read), 0)::text AS blocks FROM pg_stat_statements WHERE userid = $1::regrole',
      [vms.mover],
    );
    return { bytes: Number(row?.blocks ?? 0) * 8192, operations: undefined };
  }

  /** Blocks of the mover's table and key that a server did not find in its pool, since its start. */
  async moverMisses(server: PostgresServer): Promise<number> {
    const [row] = await server.query<{ blocks: string }>(
      'SELECT sum(heap_blks_read + coalesce(idx_blks_read, 0))::text AS blocks FROM pg_statio_user_tables WHERE relname = $1',
      [tableOf(vms.mover)],
    );
    return Number(row?.blocks ?? 0);
  }

  /** Reads the target's files of the mover's table into the page cache, past the limit of its disk. */
  async fillTargetPageCache(): Promise<void> {
    const table = tableOf(vms.mover);
    const rows = await this.target.query<{ path: string }>(
      'SELECT pg_relation_filepath(c) AS path FROM unnest(ARRAY[$1, $2]::regclass[]) AS c',
      [table, `${table}_pkey`],
    );
    for (const { path } of rows) {
      const stream = createReadStream(join(this.target.dataDir, path), { highWaterMark: 1 << 20 });
      for await (const _ of stream);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.broker.close();
  }
}

function pidsOf(server: PostgresServer): number[] {
  return server.pid === undefined ? [] : [server.pid];
}

async function startServers(options: SiteOptions): Promise<PostgresCluster> {
  const { owned, sharedBuffers, tableMb, neighbourTableMb } = options;
  const cluster = await startPostgresCluster({
    owned,
    replicas: Object.values(replicas),
    settings: {
      io_max_combine_limit: '1MB',
      shared_buffers: sharedBuffers,
      max_wal_size: '256MB',
      wal_keep_size: '64MB',
    },
    load: (client) =>
      fillAppTables(
        client,
        Object.values(vms).map((vm) => ({
          name: tableOf(vm),
          rowCount: rowsForTable(vm === vms.mover ? tableMb : neighbourTableMb),
        })),
      ),
  });
  for (const vm of Object.values(vms)) await cluster.addRole(vm);
  // As deep below the package's root from src/ as from dist/.
  const setup = new URL('../../../sql/postgres/setup.sql', import.meta.url);
  await cluster.primary.query(readFileSync(setup, 'utf8'));
  await cluster.waitForReplay();
  return cluster;
}

function startVm(
  options: SiteOptions,
  { vm, server, tableMb }: { vm: string; server: PostgresServer; tableMb: number },
): Promise<AppVm> {
  const moves = vm === vms.mover;
  return startAppVm(options.owned, {
    vm,
    dsn: server.url(),
    table: tableOf(vm),
    shape: {
      rowCount: rowsForTable(tableMb),
      seed: options.seed + Number(vm.slice(3)) - 1,
      ...(moves && options.hotShare !== undefined ? { hotShare: options.hotShare } : {}),
    },
    clientCount: moves ? options.clientCount : 2,
    ...(moves ? {} : { maxTps: neighbourTps }),
  });
}
