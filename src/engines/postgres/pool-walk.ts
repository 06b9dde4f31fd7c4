import { type BlockRanges, BlockRangesBuilder } from '../../planning/block-ranges.ts';
import type { Fork } from '../../planning/work-set.ts';
import { forkByNumber } from './catalog.ts';
import type { PostgresConnections } from './connections.ts';
import type { PostgresIdentity } from './identity.ts';
import { sqlStatement } from './sql.ts';

const walkStatement = sqlStatement('pool-walk');
const walkWithCountsStatement = sqlStatement('pool-walk-with-counts');
const countsStatement = sqlStatement('pool-counts');

/** Blocks of a piece, as in the statements. */
const pieceBlocks = 8192;

export type Storage = readonly [tablespace: number, database: number, filenode: number];

export interface PoolWalk {
  /** By the place in the list of storages, then by fork; what is not resident is not there. */
  readonly resident: ReadonlyMap<number, ReadonlyMap<Fork, BlockRanges>>;
  /** Used buffers by usage count 0..5 and free ones; undefined unless asked for. */
  readonly counts: { readonly byUsage: readonly number[]; readonly free: number } | undefined;
}

interface Row {
  readonly i: number | null;
  readonly fork: number | null;
  readonly piece: number;
  readonly heats: Buffer | null;
  readonly buffers?: number;
}

/** The database whose pg_buffercache can be used (one shows the pool of the whole server), if any. */
export function poolViewDatabase(identity: PostgresIdentity): string | undefined {
  for (const [database, privileges] of identity.privileges) {
    if (privileges.can('pg_buffercache') && (privileges.monitors || privileges.superuser)) return database;
  }
  return undefined;
}

/** One walk of the pool at the server; with `counts`, the whole pool's counts without a second one. */
export async function walkPool(
  connections: PostgresConnections,
  identity: PostgresIdentity,
  options: {
    readonly database: string;
    readonly storages: readonly Storage[];
    readonly counts: boolean;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<PoolWalk> {
  const { database, storages, counts, signal } = options;
  const params = [
    storages.map((_, index) => index),
    storages.map(([tablespace]) => tablespace),
    storages.map(([, databaseOid]) => databaseOid),
    storages.map(([, , filenode]) => filenode),
  ];
  const cheapCounts = counts && identity.features.usageCounts && hasUsageCounts(identity, database);
  const statement = counts && !cheapCounts ? walkWithCountsStatement : walkStatement;
  const [rows, countRows] = await Promise.all([
    storages.length > 0 || statement === walkWithCountsStatement
      ? connections.query<Row>(database, statement, params, { purpose: 'walk', signal })
      : [],
    cheapCounts
      ? connections.query<{ usage: number; buffers: number }>(database, countsStatement, [], { signal })
      : [],
  ]);
  const resident = collect(rows);
  if (!counts) return { resident, counts: undefined };
  return { resident, counts: cheapCounts ? fromSummary(countRows) : fromRows(rows) };
}

/** The view's functions came with version 1.4 of the extension, which an upgraded cluster may not have yet. */
export function hasUsageCounts(identity: PostgresIdentity, database: string): boolean {
  const version = identity.privileges.get(database)?.extensions.get('pg_buffercache') ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 1 || (major === 1 && minor >= 4);
}

function collect(rows: readonly Row[]): Map<number, Map<Fork, BlockRanges>> {
  const byFork = new Map<number, Map<Fork, Row[]>>();
  for (const row of rows) {
    const fork = row.fork === null ? undefined : forkByNumber[row.fork];
    if (row.i === null || fork === undefined) continue;
    const forks = byFork.get(row.i) ?? new Map<Fork, Row[]>();
    byFork.set(row.i, forks);
    forks.set(fork, [...(forks.get(fork) ?? []), row]);
  }
  const resident = new Map<number, Map<Fork, BlockRanges>>();
  for (const [index, forks] of byFork) {
    resident.set(index, new Map([...forks].map(([fork, pieces]) => [fork, rangesOfPieces(pieces)])));
  }
  return resident;
}

/** Ranges with heat from rows of the pool walk; a usage count of 0 is heat 1, for the block is in the pool. */
export function rangesOfPieces(
  pieces: readonly { readonly piece: number; readonly heats: Buffer | null }[],
): BlockRanges {
  const builder = new BlockRangesBuilder();
  const heats = new Uint8Array(pieceBlocks);
  for (const { piece, heats: packed } of pieces.toSorted((a, b) => a.piece - b.piece)) {
    if (packed === null) continue;
    heats.fill(0);
    for (let at = 0; at + 1 < packed.length; at += 2) {
      const value = packed.readInt16BE(at) + 32_768;
      // Seen twice, if it moved from one buffer to another during the walk: the greater holds.
      heats[value >> 3] = Math.max(heats[value >> 3]!, 1, value & 7);
    }
    for (let from = 0; from < pieceBlocks; ) {
      const heat = heats[from]!;
      let to = from + 1;
      while (to < pieceBlocks && heats[to] === heat) to += 1;
      if (heat > 0) builder.add(piece * pieceBlocks + from, to - from, Math.min(heat, 5));
      from = to;
    }
  }
  return builder.build();
}

/** The summary counts free buffers as used with 0; they are told apart. */
function fromSummary(rows: readonly { usage: number; buffers: number }[]): NonNullable<PoolWalk['counts']> {
  const byUsage = [0, 0, 0, 0, 0, 0];
  let free = 0;
  for (const { usage, buffers } of rows) {
    if (usage < 0) free = buffers;
    else byUsage[Math.min(usage, 5)]! += buffers;
  }
  byUsage[0] = Math.max(0, byUsage[0]! - free);
  return { byUsage, free };
}

function fromRows(rows: readonly Row[]): NonNullable<PoolWalk['counts']> {
  const byUsage = [0, 0, 0, 0, 0, 0];
  let free = 0;
  for (const { i, piece, heats, buffers = 0 } of rows) {
    if (i === null && piece < 0) free += buffers;
    else if (i === null) byUsage[Math.min(piece, 5)]! += buffers;
    else if (heats !== null) {
      for (let at = 0; at + 1 < heats.length; at += 2) byUsage[(heats.readInt16BE(at) + 32_768) & 7]! += 1;
    }
  }
  return { byUsage, free };
}
