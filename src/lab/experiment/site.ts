import { type Broker, connectBroker } from '../../broker/broker.ts';
import type { EngineKind } from '../../engines/engine.ts';
import { silentLogger } from '../../lib/logger.ts';
import type { AppConfig } from '../app-messages.ts';
import { type AppVm, startAppVm } from '../app-vm.ts';
import { type LimitedDisk, limitDisk } from '../disk.ts';
import type { DiskProfile } from '../disk-profiles.ts';
import type { LoadShape } from '../load-pattern.ts';
import { startNats } from '../nats-server.ts';
import { dropOsCache, residentBytes } from '../os-cache.ts';
import type { OwnedProcesses } from '../owned-processes.ts';
import { AgentProcess } from './agent-process.ts';
import type { Database, DatabaseServer } from './database.ts';
import { databaseKinds } from './databases.ts';
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
  engine,
  tableMb,
  neighbourTableMb,
  others = [],
}: Pick<SiteOptions, 'engine' | 'tableMb' | 'neighbourTableMb' | 'others'>) {
  const otherMb = others.reduce((sum, other) => sum + other.tableMb, 0);
  return [
    {
      text: 'starting NATS, a primary and two replicas, loading data',
      expectedMs: databaseKinds[engine].startMs(tableMb + 2 * neighbourTableMb + otherMb),
    },
    { text: 'starting the agents and the application VMs', expectedMs: 3_000 },
  ] as const;
}

export interface SiteOptions {
  readonly owned: OwnedProcesses;
  readonly engine: EngineKind;
  readonly device: DiskProfile;
  /** Buffer pool of every server, in MB of 2^20 bytes. */
  readonly poolMb: number;
  /** Size of the mover's table in MB of 2^20 bytes, its key not counted. */
  readonly tableMb: number;
  readonly neighbourTableMb: number;
  /** Further VMs, each with a table of its own, that the agents know; they read when the caller starts them. */
  readonly others?: readonly { readonly vm: string; readonly tableMb: number }[];
  readonly seed: number;
  readonly clientCount: number;
  /** Share of the mover's table that it reads; default 1/3. */
  readonly hotShare?: number;
  /** Where that share lies; default `scattered`. */
  readonly hotPlace?: NonNullable<LoadShape['hotPlace']>;
  /** Share of its table that the resident reads; default 1/3. */
  readonly residentHotShare?: number;
  /** Rates of the mover, in transactions a second: before a switch, and after it; as fast as it goes where left out. */
  readonly pace: { readonly before: number; readonly after?: number };
  /**
   * How long an always-warm move waits at home, as the others do while the target is emptied and warmed: to have
   * read as fast as it goes a moment ago may make an application quicker at first. Default 0.
   */
  readonly restMs?: number;
  readonly agentLogLevel?: string;
  /** Sections of the agents' files, over the lab's own. */
  readonly agentSettings?: Readonly<Record<string, object>>;
  readonly onStage: (stage: Stage) => void;
}

/** Transactions a second of the VMs that do not move. */
export const neighbourTps = 200;

/** A primary, two replicas with an agent each, NATS, and three application VMs: all processes of their own. */
export class Site {
  readonly options: SiteOptions;
  readonly database: Database;
  readonly broker: Broker;
  readonly natsUrl: string;
  readonly agents: { readonly source: AgentProcess; readonly target: AgentProcess };
  readonly mover: AppVm;
  readonly resident: AppVm;
  readonly route: RouteFollower;
  /** The target's. */
  readonly disk: LimitedDisk;
  readonly #stop = new AbortController();

  private constructor(
    parts: Pick<
      Site,
      'options' | 'database' | 'broker' | 'natsUrl' | 'agents' | 'mover' | 'resident' | 'disk'
    >,
  ) {
    this.options = parts.options;
    this.database = parts.database;
    this.broker = parts.broker;
    this.natsUrl = parts.natsUrl;
    this.agents = parts.agents;
    this.mover = parts.mover;
    this.resident = parts.resident;
    this.disk = parts.disk;
    this.route = new RouteFollower({
      broker: this.broker,
      vm: this.mover,
      dsnOf: (replica) => this.database.server(replica).url,
      signal: this.#stop.signal,
    });
  }

  static async start(options: SiteOptions): Promise<Site> {
    const { owned, onStage } = options;
    const [loading, starting] = startStages(options);
    onStage(loading);
    const [nats, database] = await Promise.all([startNats({ owned }), startServers(options)]);
    onStage(starting);
    const agentOf = (server: DatabaseServer) =>
      AgentProcess.start({
        ...{ owned, nats, server, vms: tablesOf(options).map(({ vm }) => vm) },
        ...(options.agentLogLevel === undefined ? {} : { logLevel: options.agentLogLevel }),
        ...(options.agentSettings === undefined ? {} : { settings: options.agentSettings }),
      });
    const [source, target] = [database.server(replicas.source), database.server(replicas.target)];
    const [broker, ofSource, ofTarget, mover, resident] = await Promise.all([
      connectBroker({
        url: nats.url,
        prefix: 'forewarm',
        name: 'forewarm lab',
        timeoutMs: 10_000,
        logger: silentLogger,
      }),
      agentOf(source),
      agentOf(target),
      startVm(options, source, moverLoad(options)),
      startVm(options, target, residentLoad(options)),
      startVm(options, source, { vm: vms.stayer, clientCount: 2, maxTps: neighbourTps }),
    ]);
    const agents = { source: ofSource, target: ofTarget };
    await Promise.all([agents.source.answering(broker), agents.target.answering(broker)]);
    const disk = await limitDisk({
      owned,
      profile: options.device,
      pids: pidsOf(target),
      dir: target.dataDir,
    });
    const site = new Site({ options, database, broker, natsUrl: nats.url, agents, mover, resident, disk });
    await site.route.start(replicas.source);
    return site;
  }

  /** Lets one of the other VMs read at a server until the caller stops it. */
  startVm(server: DatabaseServer, load: VmLoad): Promise<AppVm> {
    return startVm(this.options, server, load);
  }

  /** What an application is told that reads so, wherever it runs. */
  configOf(server: DatabaseServer, load: VmLoad): AppConfig {
    return configOf(this.options, server, load);
  }

  get source(): DatabaseServer {
    return this.database.server(replicas.source);
  }

  get target(): DatabaseServer {
    return this.database.server(replicas.target);
  }

  /**
   * Leaves the target nothing in its pool or in the page cache, and lets its own resident find its place again.
   * Gives the bytes of its files that the page cache still held, where known.
   */
  async coolTarget(): Promise<number | undefined> {
    const bytesLeft = await this.emptyTarget();
    await this.target.bringIn(tableOf(vms.resident));
    await this.agents.target.answering(this.broker);
    return bytesLeft;
  }

  /**
   * The same, without a thought for anybody. A target that can be emptied runs on, as one does that has been
   * serving for weeks: its memory has been used and its sessions know their tables. One that is started again is
   * held as it was before, by the disk's limit and by what `limits` names.
   */
  async emptyTarget(...limits: readonly Pick<LimitedDisk, 'add'>[]): Promise<number | undefined> {
    const { target } = this;
    if (await target.emptyPool()) return emptyPageCache(target);
    return restartCold(target, this.disk, ...limits);
  }

  /** What the target has read from its disk. Where the kernel does not tell: what the mover did not find in the pool. */
  async targetReads(): Promise<{ readonly bytes: number; readonly operations: number | undefined }> {
    const counted = this.disk.counters();
    if (counted !== undefined) return counted;
    const bytes = await this.target.missedBytes(vms.mover, tableOf(vms.mover));
    return { bytes, operations: undefined };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.broker.close();
  }
}

/** Starts a server anew with nothing in its pool or in the page cache. Gives what the page cache held before the start. */
export async function restartCold(
  server: DatabaseServer,
  ...limits: readonly Pick<LimitedDisk, 'add'>[]
): Promise<number | undefined> {
  await server.stop();
  const bytesLeft = await emptyPageCache(server);
  await server.start();
  for (const pid of pidsOf(server)) for (const limit of limits) limit.add(pid);
  await server.caughtUp();
  return bytesLeft;
}

/** Gives what is left of the server's files in the page cache. */
async function emptyPageCache({ dataDir }: DatabaseServer): Promise<number | undefined> {
  await dropOsCache(dataDir);
  return residentBytes(dataDir);
}

export function pidsOf(server: DatabaseServer): number[] {
  return server.pid === undefined ? [] : [server.pid];
}

function startServers(options: SiteOptions): Promise<Database> {
  const { owned, engine, poolMb } = options;
  return databaseKinds[engine].start({
    ...{ owned, poolMb, replicas: Object.values(replicas) },
    tables: tablesOf(options),
  });
}

/** Each VM's table, in MB of 2^20 bytes. */
function tablesOf({ tableMb, neighbourTableMb, others = [] }: SiteOptions) {
  return [
    { vm: vms.mover, tableMb },
    { vm: vms.stayer, tableMb: neighbourTableMb },
    { vm: vms.resident, tableMb: neighbourTableMb },
    ...others,
  ].map((one) => ({ vm: one.vm, name: tableOf(one.vm), sizeMb: one.tableMb }));
}

/** How a VM reads its table. */
export interface VmLoad extends Pick<LoadShape, 'hotShare' | 'hotPlace' | 'sequential' | 'readRowCount'> {
  readonly vm: string;
  readonly clientCount: number;
  /** As fast as it goes without it. */
  readonly maxTps?: number;
}

function moverLoad({ clientCount, hotShare, hotPlace }: SiteOptions): VmLoad {
  return {
    ...{ vm: vms.mover, clientCount },
    ...(hotShare === undefined ? {} : { hotShare }),
    ...(hotPlace === undefined ? {} : { hotPlace }),
  };
}

function residentLoad({ residentHotShare: hotShare }: SiteOptions): VmLoad {
  return {
    ...{ vm: vms.resident, clientCount: 2, maxTps: neighbourTps },
    ...(hotShare === undefined ? {} : { hotShare }),
  };
}

function startVm(options: SiteOptions, server: DatabaseServer, load: VmLoad): Promise<AppVm> {
  return startAppVm(options.owned, configOf(options, server, load));
}

function configOf(options: SiteOptions, server: DatabaseServer, load: VmLoad): AppConfig {
  const { vm, clientCount, maxTps, ...shape } = load;
  const { sizeMb = 0 } = tablesOf(options).find((table) => table.vm === vm) ?? {};
  return {
    ...{ vm, dsn: server.url, table: tableOf(vm), clientCount },
    shape: {
      rowCount: databaseKinds[options.engine].rowsForTable(sizeMb),
      seed: options.seed + Number(vm.slice(3)) - 1,
      ...shape,
    },
    ...(maxTps === undefined ? {} : { maxTps }),
  };
}
