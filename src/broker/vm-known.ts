import { createSubjects } from '../messages/subjects.ts';
import type { BrokerOptions } from './connection.ts';
import { type QuickServer, quickAsk } from './quick-ask.ts';

export type VmKnownOptions = Omit<BrokerOptions, 'logger'>;

/** The library may still have to ask within the same bound. */
const shareOfTime = 0.25;

/**
 * Whether anything is known of a VM: a route, or a profile at some replica. Without either there is nothing to
 * warm. For a hypervisor's hook, which is asked about every guest: one connection and one round trip, without
 * NATS's client library where it can be had so. Rejects with a `broker_*` error.
 */
export async function isVmKnown(options: VmKnownOptions, vm: string): Promise<boolean> {
  const quick = await isKnownQuickly(options, vm);
  if (quick !== undefined) return quick;
  const { isVmKnownByLibrary } = await import('./vm-known-library.ts');
  return await isVmKnownByLibrary(options, vm);
}

/** Undefined where it is not plainly said. */
async function isKnownQuickly(options: VmKnownOptions, vm: string): Promise<boolean | undefined> {
  const server = plainServer(options);
  if (server === undefined) return undefined;
  const questions = Object.entries(keysOf(options.prefix, vm)).map(([stream, subject]) => ({
    subject: `$JS.API.STREAM.MSG.GET.${stream}`,
    body: JSON.stringify({ last_by_subj: subject }),
  }));
  const timeoutMs = (options.timeoutMs ?? 5_000) * shareOfTime;
  const answers = await quickAsk(server, questions, { name: options.name, timeoutMs });
  const found = answers?.map(isThere);
  if (found === undefined || found.includes(undefined)) return undefined;
  return found.includes(true);
}

/** The last subjects that tell of a VM, by the streams of their buckets. */
export function keysOf(prefix: string | undefined, vm: string): Readonly<Record<string, string>> {
  const { routes, profiles } = createSubjects(prefix).buckets;
  return { [`KV_${routes}`]: `$KV.${routes}.${vm}`, [`KV_${profiles}`]: `$KV.${profiles}.*.${vm}` };
}

interface StoredAnswer {
  readonly error?: { readonly code?: number };
  readonly message?: { readonly subject?: string; readonly hdrs?: string };
}

function isThere(answer: unknown): boolean | undefined {
  const { error, message } = (answer ?? {}) as StoredAnswer;
  if (error !== undefined) return error.code === 404 ? false : undefined;
  if (typeof message?.subject !== 'string') return undefined;
  const headers = Buffer.from(message.hdrs ?? '', 'base64').toString('latin1');
  return !/^KV-Operation:/im.test(headers);
}

/** Of several servers the first. Undefined where TLS or keys are used, or the URL is not as plain as most are. */
export function plainServer({ url, creds, user, password, token }: VmKnownOptions): QuickServer | undefined {
  const match = /^(?:nats:\/\/)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?\/?$/.exec(
    url.split(',')[0]!.trim(),
  );
  if (match === null || creds !== undefined) return undefined;
  return {
    host: match[1]!.replaceAll(/[[\]]/g, ''),
    port: Number(match[2] ?? 4222),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { pass: password }),
    ...(token === undefined ? {} : { auth_token: token }),
  };
}
