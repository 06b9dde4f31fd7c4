import { z } from 'zod';
import { nameSchema, timeSchema, versionSchema } from './names.ts';
import { stateSchema } from './states.ts';

export const progressSchema = z.looseObject({
  blocksDone: z.int().nonnegative(),
  blocksTotal: z.int().nonnegative(),
  bytesDone: z.int().nonnegative(),
  bytesTotal: z.int().nonnegative(),
});
export type Progress = z.infer<typeof progressSchema>;

/** One step of a migration; all of them together are its audit trail. */
export const eventSchema = z.looseObject({
  v: versionSchema,
  id: nameSchema,
  /** Left out, like source and target, when a message was too malformed to say. */
  vm: nameSchema.optional(),
  source: nameSchema.optional(),
  target: nameSchema.optional(),
  state: stateSchema,
  at: timeSchema,
  progress: progressSchema.optional(),
  reason: z.string().optional(),
  code: z.string().optional(),
});
export type MigrationEvent = z.infer<typeof eventSchema>;
