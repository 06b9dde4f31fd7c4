import { z } from 'zod';
import { nameSchema, timeSchema, versionSchema } from './names.ts';
import { stateSchema } from './states.ts';

const count = z.int().nonnegative();

/** The record of a migration, owned and written by the target's agent. */
export const recordSchema = z.looseObject({
  v: versionSchema,
  id: nameSchema,
  vm: nameSchema,
  source: nameSchema.optional(),
  target: nameSchema,
  state: stateSchema,
  /** `blocks`: exact blocks; `relations`: whole relations by share; `mixed`: relation by relation. */
  strategy: z.enum(['blocks', 'relations', 'mixed', 'none']).optional(),
  strategyReason: z.string().optional(),
  /** How blocks are read at the target. */
  means: z.string().optional(),
  deadline: timeSchema,
  issuedAt: timeSchema,
  issuedBy: z.string().optional(),
  acceptedAt: timeSchema.optional(),
  warmingAt: timeSchema.optional(),
  readyAt: timeSchema.optional(),
  arrivedAt: timeSchema.optional(),
  endedAt: timeSchema.optional(),
  deadlineMet: z.boolean().optional(),
  workSet: z
    .looseObject({
      relations: count,
      blocks: count,
      bytes: count,
      /** Blocks that only the source's OS page cache holds. */
      osBlocks: count.optional(),
      /** `measured` with pgfincore, else `unknown`. */
      secondTier: z.enum(['measured', 'unknown']).optional(),
      /** Where unknown: what the source reads again beyond its pool, estimated from its counters. */
      secondTierBytesEstimate: count.optional(),
      /** Where the work set came from. */
      origin: z.enum(['agent', 'profile']).optional(),
      takenAt: timeSchema.optional(),
    })
    .optional(),
  plan: z
    .looseObject({
      blocks: count,
      bytes: count,
      residentBlocks: count.optional(),
      osBlocks: count.optional(),
      skippedBlocks: count,
      skippedReason: z.string().optional(),
      /** The same by `pool_budget`, `os_cache_budget`, `absent`, `beyond_end`. */
      skipped: z.record(z.string(), count).optional(),
      budgetBlocks: count.optional(),
    })
    .optional(),
  warmed: z
    .looseObject({
      blocks: count,
      bytesRead: count,
      ms: z.number().nonnegative(),
      rounds: count,
      throttledMs: z.record(z.string(), z.number()).optional(),
    })
    .optional(),
  /** Share of the planned blocks that the target's pool holds, measured; 0 to 1. */
  residency: z.number().min(0).max(1).optional(),
  lagMs: z.number().nonnegative().optional(),
  /** Learned while reading: milliseconds per operation, bytes per second. */
  device: z.looseObject({ operationMs: z.number(), bytesPerSecond: z.number() }).optional(),
  relations: z
    .array(
      z.looseObject({
        database: z.string(),
        schema: z.string(),
        name: z.string(),
        strategy: z.enum(['blocks', 'relation', 'skipped']),
        blocks: count,
        /** How its wanted blocks were found at the source. */
        how: z.string().optional(),
        reason: z.string().optional(),
      }),
    )
    .optional(),
  afterArrival: z
    .looseObject({
      hitRatio: z.number().optional(),
      blocksRead: count.optional(),
      precision: z.number().optional(),
      windowMs: z.number().optional(),
    })
    .optional(),
  reason: z.string().optional(),
  error: z.looseObject({ code: z.string(), message: z.string() }).optional(),
});
export type MigrationRecord = z.infer<typeof recordSchema>;
