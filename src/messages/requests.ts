import { z } from 'zod';
import { nameSchema, timeSchema, versionSchema } from './names.ts';

/** Ask a source's agent for a VM's work set. `sharpen`: the first of a migration; sample fast first, for a better split. */
export const workSetRequestSchema = z.looseObject({
  v: versionSchema,
  vm: nameSchema,
  sharpen: z.boolean().default(false),
  /** A cached answer younger than this will do. */
  maxAgeMs: z.number().nonnegative().default(0),
  /** For whom: by these the source's log tells its part of the migration. */
  migration: nameSchema.optional(),
  target: nameSchema.optional(),
});
export type WorkSetRequest = z.infer<typeof workSetRequestSchema>;

/** The answer: `chunks` pieces of an encoded work set are fetched by `token`, one request each, where it is not `inline`. */
export const workSetReplySchema = z.looseObject({
  v: versionSchema,
  token: z.string(),
  chunks: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  sha256: z.string(),
  takenAt: timeSchema,
  /** All of a small one, in base64. */
  inline: z.base64().optional(),
});
export type WorkSetReply = z.infer<typeof workSetReplySchema>;

export const chunkRequestSchema = z.looseObject({
  v: versionSchema,
  token: z.string(),
  chunk: z.int().nonnegative(),
});

export const estimateRequestSchema = z.looseObject({
  v: versionSchema,
  vm: nameSchema,
  source: nameSchema.optional(),
});

/** How well a replica could take a VM. */
export const estimateSchema = z.looseObject({
  v: versionSchema,
  replica: nameSchema,
  vm: nameSchema,
  source: nameSchema.optional(),
  workSetBytes: z.number().nonnegative(),
  residentBytes: z.number().nonnegative(),
  toReadBytes: z.number().nonnegative(),
  skippedBytes: z.number().nonnegative(),
  /** By the learned device cost. */
  seconds: z.number().nonnegative(),
  lagMs: z.number().nonnegative().optional(),
  fits: z.boolean(),
  /** Why it is not a candidate, if so. */
  reason: z.string().optional(),
});
export type Estimate = z.infer<typeof estimateSchema>;

export const profileRequestSchema = z.looseObject({ v: versionSchema, vm: nameSchema });

/** A profile with what is resident of each relation now. */
export const profileReplySchema = z.looseObject({
  v: versionSchema,
  replica: nameSchema,
  vm: nameSchema,
  at: timeSchema,
  blockBytes: z.number().positive(),
  relations: z.array(
    z.looseObject({
      database: z.string(),
      schema: z.string(),
      name: z.string(),
      kind: z.string(),
      share: z.number(),
      residentBlocks: z.number().nonnegative(),
      /** Resident blocks by heat, index 0 to 5; 0 is the OS page cache alone. */
      blocksByHeat: z.array(z.number().nonnegative()),
    }),
  ),
  unexplainedShare: z.number(),
});
export type ProfileReply = z.infer<typeof profileReplySchema>;

/** What a request gets instead of its answer. */
export const refusalSchema = z.looseObject({
  v: versionSchema,
  error: z.looseObject({ code: z.string(), message: z.string() }),
});
export type Refusal = z.infer<typeof refusalSchema>;
