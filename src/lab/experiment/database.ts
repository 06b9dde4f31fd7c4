import type { EngineKind } from '../../engines/engine.ts';
import type { LoadShape } from '../load-pattern.ts';
import type { OwnedProcesses } from '../owned-processes.ts';
import type { HeatScale, PoolMap } from './pool-map.ts';

export interface StartDatabaseOptions {
  readonly owned: OwnedProcesses;
  readonly replicas: readonly string[];
  /** Of every server, in MB of 2^20 bytes. */
  readonly poolMb: number;
  /** A table for each VM, which also gets a user of its name. */
  readonly tables: readonly { readonly vm: string; readonly name: string; readonly sizeMb: number }[];
}

/** All that the experiment and its report know of a database product. */
export interface DatabaseKind {
  readonly title: string;
  /** Of the pool. */
  readonly blockBytes: number;
  /** Most bytes that one read from the disk brings; undefined where the server combines as many as it likes. */
  readonly maxReadBytes?: number;
  readonly heat: HeatScale;
  /** The least heat of a block that was used again and again. */
  readonly hotHeat: number;
  /** Where what a VM reads lies in its table, so that it can be told from what the VM does not read; anywhere if left out. */
  readonly hotPlace?: NonNullable<LoadShape['hotPlace']>;
  /** The size of a table has that of its primary key in it. */
  readonly keyIncluded: boolean;
  /** Rows that make a table of so many MB of 2^20 bytes. */
  rowsForTable(sizeMb: number): number;
  /** The size of the pool as this product's configuration has it. */
  describePool(poolMb: number): string;
  /** About how long `start` takes for so much data. */
  startMs(dataMb: number): number;
  /** A primary with the tables, and its physical replicas, which have all of it when this resolves. */
  start(options: StartDatabaseOptions): Promise<Database>;
}

export interface Database {
  readonly version: string;
  server(name: string): DatabaseServer;
}

/** One replica. What it counts begins anew with each start of the server. */
export interface DatabaseServer {
  readonly name: string;
  readonly dataDir: string;
  /** Undefined while the server is down. */
  readonly pid: number | undefined;
  /** For applications, each of which puts its own name into it. */
  readonly url: string;
  /** The section `database` of an agent's file. */
  readonly agentDatabase: { readonly engine: EngineKind; readonly url: string };
  /** Ends it in order, its clients' sessions too. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Takes everything out of its pool while it runs; false where this version cannot. */
  emptyPool(): Promise<boolean>;
  /** Resolves when it has applied what the primary has written until now. */
  caughtUp(): Promise<void>;
  /** Reads a whole table and its key into the pool. */
  bringIn(table: string): Promise<void>;
  /** Reads what another server's pool holds of some tables; false where single blocks cannot be asked for. */
  bringInAsAt(pool: PoolMap): Promise<boolean>;
  /** Reads a table's files into the page cache, past the disk's limit; nothing where the server does not use that cache. */
  fillPageCache(table: string): Promise<void>;
  /** Blocks of a table and its key that were not found in the pool; may come up to ten seconds late. */
  misses(table: string): Promise<number>;
  /** Blocks of a table and its key that anybody has read, as late; hits among them where the server counts those. */
  reads(table: string): Promise<number>;
  /** Bytes that a role's reads, a VM's or the agent's, of a table did not find in the pool; up to date at once. */
  missedBytes(role: string, table: string): Promise<number>;
  /** What the pool holds of these tables and their keys. */
  map(tables: readonly string[]): Promise<PoolMap>;
  /** The kernel's `stat` files of the sessions that the agent has now. */
  agentSessions(): Promise<readonly string[]>;
}
