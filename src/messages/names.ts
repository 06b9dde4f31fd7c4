import { z } from 'zod';

/** Replica, VM and migration names: safe as NATS subject tokens, KV keys and file names. */
export const nameSchema = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ -');

/** ISO 8601; we write UTC. */
export const timeSchema = z.iso.datetime({ offset: true });

/**
 * The wire format's version.
 * 1: intents, arrivals, events, records, routes, heartbeats, profiles, work sets.
 */
export const wireVersion = 1;
export const versionSchema = z.literal(wireVersion);
