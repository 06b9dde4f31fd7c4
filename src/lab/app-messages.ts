import type { LoadShape } from './load-pattern.ts';

/** What an application VM is told when it starts. */
export interface AppConfig {
  /** Its name: also its role at the database and its application_name. */
  readonly vm: string;
  /** Connection string; role and application_name in it are replaced by the name. */
  readonly dsn: string;
  readonly table: string;
  readonly shape: LoadShape;
  /** Concurrent connections. */
  readonly clientCount: number;
  /** Transactions a second over all connections; as fast as it goes without it. */
  readonly maxTps?: number;
  /** Default 100. */
  readonly reportEveryMs?: number;
}

/** A stretch of time whose throughput and latencies are counted on their own. */
export interface Measure {
  readonly name: string;
  readonly forMs: number;
  /** Notes the blocks that are read meanwhile, too. */
  readonly touched?: boolean;
}

/** From the parent to the application. */
export type AppCommand =
  /** Moves to another server; the measures begin when the new connections take over. */
  | { readonly kind: 'switch'; readonly dsn: string; readonly measures?: readonly Measure[] }
  | { readonly kind: 'measure'; readonly measures: readonly Measure[] }
  /** Ends a measure before its time. */
  | { readonly kind: 'endMeasure'; readonly name: string }
  | { readonly kind: 'shift'; readonly share: number }
  /** Another rate; as fast as it goes without one. */
  | { readonly kind: 'pace'; readonly maxTps?: number }
  /** A share of the reads is done at that server too; 0 ends it. */
  | { readonly kind: 'mirror'; readonly dsn: string; readonly share: number }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'stop' };

/** Throughput and latencies of one stretch of time. Latencies are 0 when nothing ended in it. */
export interface LoadSample {
  /** Begin, as milliseconds since 1970. */
  readonly atMs: number;
  readonly durationMs: number;
  readonly transactions: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** From the application to the parent; as JSON lines on stdout when there is no parent that listens. */
export type AppReport =
  | { readonly kind: 'ready' }
  | ({ readonly kind: 'sample' } & LoadSample)
  | ({ readonly kind: 'measured'; readonly name: string } & LoadSample)
  /** Of a measure that notes them: a `TouchedBlocks` as text. */
  | { readonly kind: 'touched'; readonly name: string; readonly blocks: string }
  /** The old connections are closed. `connectMs`: opening the new ones; `drainMs`: ending the old ones' reads. */
  | { readonly kind: 'switched'; readonly atMs: number; readonly connectMs: number; readonly drainMs: number }
  | { readonly kind: 'error'; readonly message: string };
