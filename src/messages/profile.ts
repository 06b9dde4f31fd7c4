import { z } from 'zod';
import { nameSchema, timeSchema, versionSchema } from './names.ts';

export const relationKinds = ['table', 'index', 'toast', 'toast_index', 'matview', 'sequence'] as const;
export type RelationKind = (typeof relationKinds)[number];

export const profileRelationSchema = z.looseObject({
  database: z.string(),
  schema: z.string(),
  name: z.string(),
  kind: z.enum(relationKinds),
  /** The table that an index or TOAST relation belongs to, `schema.name` unquoted. */
  parent: z.string().optional(),
  oid: z.number().optional(),
  /** Aged block accesses. */
  weight: z.number().nonnegative(),
  /** Part of the VM's explained block accesses; all of a profile's shares add up to 1. */
  share: z.number().min(0).max(1),
});
export type ProfileRelation = z.infer<typeof profileRelationSchema>;

/** What a VM's statements touch at one replica. */
export const profileSchema = z.looseObject({
  v: versionSchema,
  replica: nameSchema,
  vm: nameSchema,
  at: timeSchema,
  halfLifeMs: z.number().positive(),
  relations: z.array(profileRelationSchema),
  /** Aged block accesses that no witness explained, and their part of all of the VM's. */
  unexplained: z.looseObject({
    weight: z.number().nonnegative(),
    share: z.number().min(0).max(1),
    statements: z.array(
      z.looseObject({ database: z.string(), queryId: z.string(), weight: z.number(), reason: z.string() }),
    ),
  }),
  /** Statements whose volume was divided among VMs by sampling, as a part of this VM's volume. */
  splitShare: z.number().min(0).max(1).optional(),
});
export type Profile = z.infer<typeof profileSchema>;
