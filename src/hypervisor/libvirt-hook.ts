import { hostname } from 'node:os';
import type { HookGlance } from '../config/hook-glance.ts';
import { replicaOfHost } from '../config/hook-glance.ts';
import type { HookConfig } from '../config/options.ts';
import { describeError } from '../lib/errors.ts';
import { happeningOf, type LibvirtCall } from './libvirt-call.ts';
import { PendingMigrations } from './pending.ts';
import { vmNameOf } from './vm-name.ts';

/** What the hook tells libvirt, and the operator. */
export interface HookAnswer {
  /** False refuses the migration; only policy `require` does. */
  readonly allow: boolean;
  /** Undefined where there is nothing to say. */
  readonly line?: string;
  readonly logFile?: string | undefined;
}

/** What the hook works with. What is heavy to load is behind a function, since most calls need none of it. */
export interface HookParts {
  readonly glance: () => HookGlance | undefined;
  readonly loadConfig: () => Promise<HookConfig>;
  /** Whether a file that may be faulty elsewhere asks for policy `require`. */
  readonly asksToRefuse: () => boolean;
  /** The domain's XML, or what came of it within that many milliseconds. */
  readonly readXml: (ms: number) => Promise<string>;
  readonly isVmKnown: (nats: HookConfig['nats'] | HookGlance['nats'], vm: string) => Promise<boolean>;
  readonly announcements: () => Promise<typeof import('./hook-announcements.ts')>;
  /**
   * Sets the bound of the whole call, in milliseconds since its start, and what is answered then; gives what is left.
   */
  readonly bound: (ms: number, late: HookAnswer) => number;
}

/** Bound of telling NATS that a guest is gone or has left, in milliseconds: libvirt waits for it. */
const tellingMs = 3_000;

/** libvirt writes the XML at once; one that does not end must not eat up the wait. */
const xmlMs = (leftMs: number) => Math.min(2_000, leftMs / 4);

/** Answers one call. Rejects only by a fault of its own. */
export async function answerCall(call: LibvirtCall, parts: HookParts): Promise<HookAnswer> {
  const happening = happeningOf(call);
  if (happening === 'other') return { allow: true };
  const glance = parts.glance();
  if (happening === 'coming') return await coming(call, parts, glance);
  if (happening === 'left') return await left(call, parts, glance);
  return await gone(call, parts, glance);
}

async function coming(
  call: LibvirtCall,
  parts: HookParts,
  glance: HookGlance | undefined,
): Promise<HookAnswer> {
  const { guest } = call;
  let unreachable: string | undefined;
  const isNobody = async (nats: HookConfig['nats'] | HookGlance['nats'], vm: string) => {
    const known = await parts.isVmKnown(nats, vm).catch((error: unknown) => {
      unreachable = describeError(error).message;
      return true;
    });
    return !known;
  };
  const nobody = (vm: string, logFile: string | undefined) =>
    notOurs(guest, `no route and no profile of ${vm} is known`, logFile);
  if (glance !== undefined) {
    const leftMs = parts.bound(glance.waitMs, lateAnswer(guest, glance, parts));
    const vm = await vmNameOf({
      name: guest,
      xml: await parts.readXml(xmlMs(leftMs)),
      guests: glance.guests,
    });
    if (vm === undefined) return notOurs(guest, 'its name is no name of a VM', glance.logFile);
    if (glance.replica !== undefined && (await isNobody(glance.nats, vm))) return nobody(vm, glance.logFile);
  }
  const config = await parts.loadConfig();
  const { logFile } = config;
  const refuses = config.policy === 'require';
  const answer = (warm: boolean, what: string): HookAnswer => {
    if (warm) return { allow: true, line: `guest ${guest}: ${what}`, logFile };
    const end = refuses
      ? 'refused by policy require; to move it all the same, set policy: proceed in hook.yaml'
      : 'going on without';
    return { allow: !refuses, line: `guest ${guest}: ${what}; ${end}`, logFile };
  };
  const late = answer(false, 'the time is up');
  const remainingMs = parts.bound(config.waitMs, late);
  if (unreachable !== undefined) return answer(false, unreachable);
  const target = replicaOfHost(config.hosts, config.host);
  const host = config.host ?? hostname();
  if (target === undefined) {
    return answer(true, `hosts in hook.yaml names no replica of ${host}, so nothing is warmed`);
  }
  const xml = await parts.readXml(xmlMs(remainingMs));
  const vm = await vmNameOf({ name: guest, xml, guests: config.guests });
  if (vm === undefined) return notOurs(guest, 'its name is no name of a VM', logFile);
  // An intent for it would be a migration in everybody's history that was never one.
  if (glance === undefined && (await isNobody(config.nats, vm))) return nobody(vm, logFile);
  if (unreachable !== undefined) return answer(false, unreachable);
  const { warmForGuest } = await parts.announcements();
  const pending = new PendingMigrations(config.state);
  const order = { config, guest, vm, target, host, pending, waitMs: remainingMs };
  const { warm, line } = await warmForGuest(order, refuses);
  return answer(warm, line);
}

async function left(
  call: LibvirtCall,
  parts: HookParts,
  glance: HookGlance | undefined,
): Promise<HookAnswer> {
  const { guest } = call;
  parts.bound(tellingMs, unheard(guest, 'has left', glance?.logFile));
  const xml = await parts.readXml(xmlMs(tellingMs));
  if (glance !== undefined) {
    const vm = await vmNameOf({ name: guest, xml, guests: glance.guests });
    if (vm === undefined || !(await parts.isVmKnown(glance.nats, vm))) return { allow: true };
  }
  const config = await parts.loadConfig();
  const vm = await vmNameOf({ name: guest, xml, guests: config.guests });
  if (vm === undefined) return { allow: true };
  const { announcing, sayLeft } = await parts.announcements();
  const own = replicaOfHost(config.hosts, config.host);
  const line = await announcing(config, tellingMs, (broker) => sayLeft(broker, { vm, own }));
  return line === undefined ? { allow: true } : { allow: true, line, logFile: config.logFile };
}

async function gone(
  call: LibvirtCall,
  parts: HookParts,
  glance: HookGlance | undefined,
): Promise<HookAnswer> {
  const { guest, operation, suboperation } = call;
  // A guest without a note of ours costs no more than this look.
  const pending = new PendingMigrations(glance?.state ?? (await parts.loadConfig()).state);
  const note = pending.read(guest);
  if (note === undefined) return { allow: true };
  parts.bound(tellingMs, unheard(guest, 'is gone', glance?.logFile));
  const config = await parts.loadConfig();
  const { announcing, sayUndone } = await parts.announcements();
  const reason = `the guest ended at ${hostname()} (libvirt's hook: ${operation} ${suboperation})`;
  const said = await announcing(config, tellingMs, (broker) => sayUndone(broker, note, reason));
  pending.remove(note);
  if (said === 'over') return { allow: true };
  const line = `guest ${guest}: it ended here; migration ${note.id} of ${note.vm} is aborted`;
  return { allow: true, line, logFile: config.logFile };
}

function unheard(guest: string, what: string, logFile: string | undefined): HookAnswer {
  return { allow: true, line: `guest ${guest} ${what}, but NATS did not answer in time`, logFile };
}

function lateAnswer(guest: string, glance: HookGlance, parts: HookParts): HookAnswer {
  const refuses = parts.asksToRefuse();
  const end = refuses ? 'refused by policy require' : 'going on without';
  return { allow: !refuses, line: `guest ${guest}: the time is up; ${end}`, logFile: glance.logFile };
}

function notOurs(guest: string, why: string, logFile: string | undefined): HookAnswer {
  return { allow: true, line: `guest ${guest} is none of ours: ${why}`, logFile };
}
