import type { Broker } from '../broker/broker.ts';
import { replicaOfHost } from '../config/hook-glance.ts';
import type { HookConfig } from '../config/options.ts';
import { systemClock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { retry } from '../lib/retry.ts';
import type { Service } from '../lib/service.ts';
import { isEnd } from '../migration/transitions.ts';
import { announceAbort, announceArrival } from '../publisher/announce.ts';
import { findMigration } from '../publisher/find-migration.ts';
import { sayUndone } from './hook-announcements.ts';
import { meaningOf, parseLifecycleEvent } from './libvirt-events.ts';
import { type PendingMigration, PendingMigrations } from './pending.ts';
import type { Virsh } from './virsh.ts';
import { vmNameOf } from './vm-name.ts';

const lookMs = 30_000;
/** A guest that is not there so long after its deadline will not come. */
const goneAfterMs = 60_000;

/**
 * Follows libvirt's events on one host and says what became of the migrations to it. What is missed while virsh, the
 * daemon or NATS is away is seen at the next look at the guests whose hook left a note.
 */
export class LibvirtWatch implements Service {
  readonly name = 'libvirt';
  readonly #config: HookConfig;
  readonly #broker: Broker;
  readonly #virsh: Virsh;
  readonly #logger: Logger;
  readonly #pending: PendingMigrations;
  /** The newest event of a guest takes the place of older ones that could not be told yet. */
  readonly #telling = new Map<string, AbortController>();

  constructor(parts: { config: HookConfig; broker: Broker; virsh: Virsh; logger: Logger }) {
    this.#config = parts.config;
    this.#broker = parts.broker;
    this.#virsh = parts.virsh;
    this.#logger = parts.logger;
    this.#pending = new PendingMigrations(parts.config.state);
  }

  async run(signal: AbortSignal): Promise<void> {
    const looking = this.#lookOften(signal);
    const follow = async () => {
      void this.#look();
      await this.#virsh.follow((line) => this.#hear(line, signal), signal);
    };
    const onRetry = (error: unknown) =>
      this.#logger.warn({ reason: describeError(error).message }, 'no events from libvirt; trying again');
    await retry(follow, { signal, onRetry }).catch(() => {});
    await looking;
  }

  #hear(line: string, signal: AbortSignal): void {
    const event = parseLifecycleEvent(line);
    const meaning = event === undefined ? 'other' : meaningOf(event);
    if (event === undefined || meaning === 'other') return;
    const { guest } = event;
    this.#logger.info({ guest, event: `${event.event} ${event.detail}` }, 'libvirt says');
    this.#telling.get(guest)?.abort();
    const newer = new AbortController();
    this.#telling.set(guest, newer);
    const tell = () => (meaning === 'runs here' ? this.#arrived(guest) : this.#undone(guest));
    const onRetry = (error: unknown) =>
      this.#logger.warn({ guest, reason: describeError(error).message }, 'not told yet; trying again');
    void retry(tell, { signal: AbortSignal.any([signal, newer.signal]), onRetry }).catch(() => {});
  }

  async #arrived(guest: string): Promise<void> {
    const note = this.#pending.read(guest);
    if (note !== undefined) return await this.#settleArrived(note);
    const own = this.#ownReplica();
    const vm = await this.#vmOf(guest);
    if (own === undefined || vm === undefined) return;
    const under = await this.#underWay(vm, own);
    if (under !== undefined) return await this.#sayArrived(guest, { vm, target: own, migration: under });
    // Nobody announced it, as when NATS was away. After a cancelled migration the guest runs here too, for another reason.
    if ((await this.#virsh.state(guest)) !== 'running (migrated)' || !(await this.#isKnown(vm))) return;
    await this.#sayArrived(guest, { vm, target: own, migration: undefined });
  }

  async #undone(guest: string): Promise<void> {
    const note = this.#pending.read(guest);
    if (note !== undefined) return await this.#settleUndone(note);
    const own = this.#ownReplica();
    const vm = await this.#vmOf(guest).catch(() => undefined);
    if (own === undefined || vm === undefined) return;
    const migration = await this.#underWay(vm, own);
    if (migration === undefined) return;
    await announceAbort(this.#broker, { target: own, migration, reason: 'libvirt says: Stopped Failed' });
    this.#logger.info({ guest, vm, migration }, 'the migration to this host came to nothing: aborted');
  }

  async #lookOften(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await systemClock.sleep(lookMs, signal);
      if (!signal.aborted) await this.#look();
    }
  }

  /** Settles the notes of the hook by how their guests are now. */
  async #look(): Promise<void> {
    try {
      const notes = this.#pending.list();
      if (notes.length === 0) return;
      const guests = new Set(await this.#virsh.guests());
      for (const note of notes) {
        const state = guests.has(note.guest) ? await this.#virsh.state(note.guest) : 'shut off';
        const overdueMs = Date.now() - Date.parse(note.deadline);
        if (state.startsWith('running')) await this.#settleArrived(note);
        else if (state.startsWith('shut off') && overdueMs > goneAfterMs) await this.#settleUndone(note);
      }
    } catch (error) {
      this.#logger.warn({ reason: describeError(error).message }, 'could not look at the guests');
    }
  }

  async #settleArrived(note: PendingMigration): Promise<void> {
    const { guest, vm, target, id } = note;
    await this.#sayArrived(guest, { vm, target, migration: id });
    this.#pending.remove(note);
  }

  async #settleUndone(note: PendingMigration): Promise<void> {
    const said = await sayUndone(this.#broker, note, 'libvirt says: the guest did not come to run here');
    this.#pending.remove(note);
    const { guest, vm, id } = note;
    if (said === 'said') this.#logger.info({ guest, vm, migration: id }, 'aborted');
  }

  async #sayArrived(
    guest: string,
    arrival: { vm: string; target: string; migration: string | undefined },
  ): Promise<void> {
    const { replica, epoch } = await announceArrival(this.#broker, arrival);
    this.#logger.info({ guest, ...arrival, route: replica, epoch }, 'arrived');
  }

  /** The id of the VM's newest migration, when it leads here and is not over. */
  async #underWay(vm: string, own: string): Promise<string | undefined> {
    const found = await findMigration(this.#broker, { vm, migration: undefined }).catch((error) => {
      if (describeError(error).code === 'migration_unknown') return undefined;
      throw error;
    });
    if (found === undefined || found.target !== own) return undefined;
    const state = found.record?.state;
    return state !== undefined && (isEnd(state) || state === 'arrived') ? undefined : found.id;
  }

  async #isKnown(vm: string): Promise<boolean> {
    if ((await this.#broker.routes.get(vm)) !== null) return true;
    return (await this.#broker.profiles.list(`*.${vm}`)).length > 0;
  }

  async #vmOf(guest: string): Promise<string | undefined> {
    const xml = await this.#virsh.xml(guest);
    return await vmNameOf({ name: guest, xml, guests: this.#config.guests });
  }

  #ownReplica(): string | undefined {
    return replicaOfHost(this.#config.hosts, this.#config.host);
  }
}
