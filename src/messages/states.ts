import { z } from 'zod';

/** States of a migration, in the order of a good one, then the ends besides. */
export const migrationStates = [
  'accepted',
  'profiling',
  'warming',
  'ready',
  'arrived',
  'completed',
  'aborted',
  'expired',
  'failed',
  'rejected',
] as const;

export type MigrationState = (typeof migrationStates)[number];
export const stateSchema = z.enum(migrationStates);
