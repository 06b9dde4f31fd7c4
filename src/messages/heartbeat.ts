import { z } from 'zod';
import { nameSchema, timeSchema, versionSchema } from './names.ts';

/** An agent's sign of life; its key vanishes when the agent is gone. */
export const heartbeatSchema = z.looseObject({
  v: versionSchema,
  replica: nameSchema,
  at: timeSchema,
  startedAt: timeSchema,
  agentVersion: z.string(),
  engine: z.string(),
  version: z.string(),
  /** Equal on physical replicas of one cluster. */
  systemId: z.string().optional(),
  databases: z.array(z.string()),
  vms: z.array(nameSchema),
  pool: z.looseObject({ bytes: z.number(), blockBytes: z.number() }).optional(),
  lagMs: z.number().nonnegative().optional(),
  /** Sessions running a statement now, and those of them waiting for I/O. */
  load: z.looseObject({ active: z.number(), ioWaiting: z.number() }).optional(),
  canWarm: z.boolean(),
  /** What the database lacks, in words, when degraded. */
  degraded: z.array(z.string()),
  migrations: z.int().nonnegative(),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/** What a replica's disk costs, learned from its reads. */
export const deviceSchema = z.looseObject({
  v: versionSchema,
  at: timeSchema,
  operationMs: z.number().nonnegative(),
  byteMs: z.number().positive(),
  /** Whether the two add up, or the scarcer one decides. */
  rule: z.enum(['sum', 'max']).optional(),
  weight: z.number().nonnegative(),
});
export type Device = z.infer<typeof deviceSchema>;
