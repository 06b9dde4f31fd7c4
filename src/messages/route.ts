import { z } from 'zod';
import { nameSchema, timeSchema, versionSchema } from './names.ts';

/** Which replica a VM's connections go to; `epoch` only rises, by compare-and-set. */
export const routeSchema = z.looseObject({
  v: versionSchema,
  replica: nameSchema,
  epoch: z.int().positive(),
  migration: nameSchema.optional(),
  at: timeSchema,
});
export type Route = z.infer<typeof routeSchema>;

/** The VM's newest migration, so that it can be found by the VM's name. */
export const vmPointerSchema = z.looseObject({
  v: versionSchema,
  migration: nameSchema,
  target: nameSchema,
  at: timeSchema,
});
export type VmPointer = z.infer<typeof vmPointerSchema>;
