import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parse } from 'yaml';
import { parseDurationMs } from '../lib/duration.ts';
import { hookDefaults, hookFile, natsDefaults } from './defaults.ts';

/** What a hook must know to tell that a guest is none of ours. */
export interface HookGlance {
  /** The file as it was read. */
  readonly text: string;
  readonly nats: {
    readonly url: string;
    readonly prefix: string;
    readonly timeoutMs: number;
    readonly user?: string;
    readonly password?: string;
    readonly token?: string;
    readonly creds?: string;
  };
  readonly replica: string | undefined;
  readonly guests: Readonly<Record<string, string>>;
  readonly waitMs: number;
  readonly state: string;
  readonly logFile: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * A quick look at a hypervisor's file, without the schema library, which takes longer to load than the rest of a
 * hook. It reads plain files only: undefined where there is none, or anything in it is faulty, unknown or comes
 * from the environment. `loadHookConfig` then says what is the matter; it also checks everything anew before
 * an intent is published.
 */
export function glanceAtHookFile(env: Env): HookGlance | undefined {
  const ours = Object.keys(env).filter((name) => name.startsWith('FOREWARM_') && name !== 'FOREWARM_CONFIG');
  if (ours.length > 0) return undefined;
  try {
    const text = readFileSync(env['FOREWARM_CONFIG'] ?? hookFile, 'utf8');
    const plain = readPlain(parse(text));
    return plain === undefined ? undefined : { text, ...plain };
  } catch {
    return undefined;
  }
}

/** Whether a file that may be faulty elsewhere plainly asks to refuse what is not warm. */
export function asksToRefuse(env: Env): boolean {
  try {
    const file: unknown = parse(readFileSync(env['FOREWARM_CONFIG'] ?? hookFile, 'utf8'));
    return isMap(file) && file['policy'] === 'require';
  } catch {
    return false;
  }
}

const ofHooks = ['nats', 'hosts', 'host', 'guests', 'wait', 'policy', 'state', 'logFile'];
/** The last two are of `route watch`, which reads the same file. */
const known = new Set([...ofHooks, 'replicas', 'pgbouncer']);
const textsOfNats = ['url', 'prefix', 'user', 'password', 'token', 'creds'] as const;
/** Those that may be given as the name of a file that holds them. */
const filesOfNats = ['url', 'password', 'token'] as const;

function readPlain(file: unknown): Omit<HookGlance, 'text'> | undefined {
  if (!isMap(file) || Object.keys(file).some((key) => !known.has(key))) return undefined;
  const { hosts, host, guests = {}, nats = {}, wait = hookDefaults.wait, state = hookDefaults.state } = file;
  if (!isTextMap(hosts) || !isTextMap(guests) || !isMap(nats)) return undefined;
  const { logFile } = file;
  if (!isText(state) || ![host, logFile].every((one) => one === undefined || isText(one))) return undefined;
  const { timeout = natsDefaults.timeout, ...given } = nats;
  const texts = withFilesRead(given);
  if (
    !isTextMap(texts) ||
    Object.keys(texts).some((key) => !(textsOfNats as readonly string[]).includes(key))
  )
    return undefined;
  const [waitMs, timeoutMs] = [parseDurationMs(String(wait)), parseDurationMs(String(timeout))];
  if (waitMs === undefined || timeoutMs === undefined) return undefined;
  return {
    nats: { url: natsDefaults.url, prefix: natsDefaults.prefix, ...texts, timeoutMs },
    replica: replicaOfHost(hosts, host as string | undefined),
    guests,
    waitMs,
    state,
    logFile: logFile as string | undefined,
  };
}

/** `passwordFile` and the like as what they name. Throws where a file cannot be read. */
function withFilesRead(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const texts = { ...given };
  for (const key of filesOfNats) {
    const file = texts[`${key}File`];
    if (!isText(file)) continue;
    texts[key] = readFileSync(file, 'utf8').trim();
    delete texts[`${key}File`];
  }
  return texts;
}

/** The replica beside this host; a host name counts in full, then up to its first dot. */
export function replicaOfHost(
  hosts: Readonly<Record<string, string>>,
  host: string | undefined,
): string | undefined {
  const own = host ?? hostname();
  const names = host === undefined ? [own, own.split('.')[0]!] : [own];
  const name = names.find((one) => Object.hasOwn(hosts, one));
  return name === undefined ? undefined : hosts[name];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTextMap(value: unknown): value is Record<string, string> {
  return isMap(value) && Object.values(value).every(isText);
}
