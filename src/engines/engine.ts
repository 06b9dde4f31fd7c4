import type { VmRule } from '../attribution/vm-rules.ts';
import type { Logger } from '../lib/logger.ts';
import type { ProfileRelation } from '../messages/profile.ts';
import type { BlockRanges } from '../planning/block-ranges.ts';
import type { Pace } from '../planning/pace.ts';
import type { Fork, RelationRef, WorkSet, WorkSetRelation } from '../planning/work-set.ts';

export type EngineKind = 'postgres' | 'mariadb' | 'mysql';

export interface EngineOptions {
  readonly replica: string;
  /** Connection string; a secret. */
  readonly url: string;
  /** Databases whose relations are watched and warmed; the URL's own where empty. */
  readonly databases: readonly string[];
  readonly vms: readonly VmRule[];
  /** Bound of every statement that Forewarm runs, in milliseconds. */
  readonly statementTimeoutMs: number;
  /** How often each VM's accesses are counted alone, where the engine can; 0 or left out: never. */
  readonly exactMs?: number;
  readonly logger: Logger;
  /** Told of each statement that Forewarm ran. */
  readonly onQuery?: QueryListener;
}

/** `name`: a file of `sql/`, or one of a few names for texts made at run time. Must not throw. */
export type QueryListener = (name: string, seconds: number, failed: boolean) => void;

export interface ServerIdentity {
  readonly kind: EngineKind;
  readonly version: string;
  /** Equal on physical replicas of one cluster; empty when unknown. */
  readonly systemId: string;
  readonly poolBlocks: number;
  readonly blockBytes: number;
  /** Blocks of a run that one read brings straight into the pool; all of them where left out. */
  readonly pieceBlocks?: number;
  readonly databases: readonly string[];
  /** True while it replays from a primary. */
  readonly replica: boolean;
  /** How blocks can be read here: `pg_prewarm`, `scan`, or `none`. */
  readonly means: string;
  readonly canWarm: boolean;
  /** What is missing and what that costs, in words a person can act on. */
  readonly degraded: readonly string[];
}

/** Cumulative. */
export interface StatementTotals {
  readonly ms: number;
  readonly calls: number;
  /** Blocks that were not in the pool; those that Forewarm read count as well, where a server does not tell whose they were. */
  readonly reads: number;
}

/** Cheap figures for throttling and ready; each call is one short statement. */
export interface ServerHealth {
  /** Age of the last replayed transaction while behind; 0 when caught up or a primary; null when unknown. */
  readonly lagMs: number | null;
  /** False: replay is paused, or no WAL arrives. */
  readonly replaying: boolean;
  /** Other sessions running a statement now, and those of them waiting for I/O. */
  readonly active: number;
  readonly ioWaiting: number;
  /** What everybody's statements but Forewarm's have taken so far; null when unknown. */
  readonly statements: StatementTotals | null;
}

/** What the last window showed of one VM. Block counts are accesses, hits and reads alike. */
export interface VmObservation {
  readonly blocks: number;
  readonly blocksHit: number;
  readonly blocksRead: number;
  /** Part of `blocks` whose statements were divided among VMs by sampling. */
  readonly splitBlocks: number;
  readonly relations: readonly {
    readonly ref: RelationRef;
    readonly oid?: number;
    readonly blocks: number;
  }[];
  readonly unexplained: readonly {
    readonly database: string;
    readonly queryId: string;
    readonly blocks: number;
    readonly reason: string;
  }[];
}

export interface Observation {
  readonly windowMs: number;
  readonly vms: ReadonlyMap<string, VmObservation>;
  /** Sessions and block accesses that no rule matched: counted, never guessed. */
  readonly unmatched: { readonly sessions: number; readonly blocks: number };
}

/** Watches who touches what; keeps its own baselines between calls. */
export interface Observer {
  /** One look at the sessions: a few milliseconds of the server. */
  sample(): Promise<void>;
  /** Everything since the last call, attributed. The first call sets the baseline and is empty. */
  collect(): Promise<Observation>;
}

/** A relation's fork as this server knows it. */
export interface LocalRelation extends RelationRef {
  readonly fork: Fork;
  readonly oid: number;
  readonly filenode: string;
  readonly sizeBlocks: number;
}

export interface RelationMatch {
  readonly wanted: WorkSetRelation;
  /** `blocks`: the list holds here; `relation`: only the name does; `absent`: not here. */
  readonly verdict: 'blocks' | 'relation' | 'absent';
  /** What the list's positions are, for the record; `by their blocks` where left out. */
  readonly how?: string;
  readonly local?: LocalRelation;
  /** Why not `blocks`. */
  readonly reason?: string;
}

export interface PoolState {
  /** False: no view of the pool; the counts are 0 and `resident` is empty. */
  readonly known: boolean;
  readonly poolBlocks: number;
  /** Free for the taking: those that the server keeps free by itself are not among them. */
  readonly freeBlocks: number;
  /** Used buffers of the whole pool by usage count 0..5. */
  readonly blocksByHeat: readonly number[];
  /** How long the server runs, in ms; left out where that is not known. */
  readonly upMs?: number | undefined;
  /** What the pool holds of the relations asked for, by `relationKey`. */
  readonly resident: ReadonlyMap<string, BlockRanges>;
  /** True: how hot each of these is, is not told, and all stand at heat 1. */
  readonly heatsUnknown?: true;
  /** Memory that the host could give to its page cache; null when unknown or on another host. */
  readonly osCacheBytes: number | null;
}

/** Half-open block spans [start, end), flat: start0, end0, start1, end1, … */
export type Spans = readonly number[];

/** One bounded piece of warming: one or a few statements. */
export interface WarmStep {
  readonly relation: LocalRelation;
  /** `os`: only into the page cache. */
  readonly tier: 'pool' | 'os';
  /** Spans that hold all of `wanted`, to run through the disk once, gaps bridged; empty where `wanted` can be read as it is. */
  readonly readThrough: Spans;
  readonly wanted: Spans;
  /** Where others are to be left a part of the disk; as fast as it can where left out. */
  readonly pace?: Pace | undefined;
  /** Called where the step goes on without the disk: what it read lies in the page cache, and fills the pool. */
  readonly onDiskDone?: (() => void) | undefined;
}

export interface WarmResult {
  /** Blocks of `wanted` that were carried out. */
  readonly blocks: number;
  readonly ms: number;
}

export interface Finding {
  readonly level: 'ok' | 'warning' | 'fault';
  readonly subject: string;
  readonly message: string;
  /** The statement or line that mends it. */
  readonly remedy?: string;
}

/** One database server, seen by the agent beside it. Rejects with ForewarmError; every statement is bounded. */
export interface Engine {
  readonly kind: EngineKind;
  readonly tells: {
    /** Which of a VM's accesses went to the disk; else all count as hits. */
    readonly readsOfVms: boolean;
    /** How often single blocks are used; else their heat does not rise. */
    readonly heatOfBlocks: boolean;
  };
  /** Reads version, pool and capabilities anew; also after the server came back. */
  identify(): Promise<ServerIdentity>;
  health(): Promise<ServerHealth>;
  readonly observer: Observer;
  /** The cached blocks of those relations with heat; walks the whole pool, so call it rarely. */
  workSet(vm: string, relations: readonly ProfileRelation[], signal?: AbortSignal): Promise<WorkSet>;
  /** Where each of a work set's relations stands here. */
  match(workSet: WorkSet): Promise<readonly RelationMatch[]>;
  /**
   * Tells that a work set of these relations is to be matched and read soon on so many connections, so that what
   * the next `match` and `poolState` take may be begun, and the connections be made ready, at once. May reject.
   */
  foresee(relations: readonly ProfileRelation[], connections: number): Promise<void>;
  /** The pool, and what it holds of these relations; walks the whole pool. */
  poolState(relations: readonly LocalRelation[]): Promise<PoolState>;
  warm(step: WarmStep, signal?: AbortSignal): Promise<WarmResult>;
  /** Touches resident blocks once more, so that each one's heat rises by one. */
  raiseHeat(relation: LocalRelation, spans: Spans, signal?: AbortSignal): Promise<void>;
  /** Everything that the agent needs of this server, all faults at once. */
  check(): Promise<readonly Finding[]>;
  close(): Promise<void>;
}
