import { systemClock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Qmp } from './qmp.ts';

export type QmpEnd =
  | { readonly status: 'completed' }
  | { readonly status: 'failed' | 'cancelled' | 'lost'; readonly reason: string };

interface MigrationInfo {
  readonly status?: string;
  readonly 'error-desc'?: string;
}

/** Of QEMU's capabilities, those that a migration is run with here. */
const ours: Readonly<Record<string, boolean>> = { events: true, 'pause-before-switchover': false };

/** What QEMU had before us. */
interface Former {
  /** In bytes a second. */
  readonly bandwidth: number;
  readonly capabilities: readonly Capability[];
}

interface Capability {
  readonly capability: string;
  readonly state: boolean;
}

/** Between two questions after the migration's state, which do not depend on an event that comes. */
const askMs = 1_000;

/**
 * A live migration of one QEMU process that is held by its bandwidth. The guest runs on meanwhile, and a guest with
 * little to copy may arrive before the gate opens. QEMU's pause before the switchover is never used: it stops the
 * guest's processors for as long as it lasts.
 */
export class QmpMigration {
  readonly #qmp: Qmp;
  readonly #former: Former;
  readonly end: Promise<QmpEnd>;
  #ended = false;

  private constructor(qmp: Qmp, former: Former) {
    this.#qmp = qmp;
    this.#former = former;
    this.end = this.#follow();
  }

  /** Starts it, held at that many bytes a second. Rejects with `hypervisor_failed` when QEMU refuses. */
  static async start(
    qmp: Qmp,
    options: { readonly uri: string; readonly heldBandwidth: number },
  ): Promise<QmpMigration> {
    const former = await readFormer(qmp);
    const capabilities = Object.entries(ours).map(([capability, state]) => ({ capability, state }));
    await qmp.execute('migrate-set-capabilities', { capabilities });
    await qmp.execute('migrate-set-parameters', { 'max-bandwidth': options.heldBandwidth });
    try {
      await qmp.execute('migrate', { uri: options.uri });
    } catch (error) {
      await restore(qmp, former);
      throw error;
    }
    return new QmpMigration(qmp, former);
  }

  /** Opens the gate: to that many bytes a second, or to what QEMU had before. */
  async raise(bandwidth = this.#former.bandwidth): Promise<void> {
    if (this.#ended) return;
    await this.#qmp.execute('migrate-set-parameters', { 'max-bandwidth': bandwidth });
  }

  async cancel(): Promise<void> {
    await this.#qmp.execute('migrate_cancel');
  }

  async #follow(): Promise<QmpEnd> {
    let look = new AbortController();
    const stop = this.#qmp.onEvent(({ event }) => {
      if (event === 'MIGRATION') look.abort();
    });
    let lost = false;
    void this.#qmp.closed.then(() => {
      lost = true;
      look.abort();
    });
    try {
      for (;;) {
        const end = lost ? lostEnd : await this.#ask();
        if (end !== undefined) return end;
        if (!look.signal.aborted) await systemClock.sleep(askMs, look.signal);
        look = new AbortController();
        if (lost) look.abort();
      }
    } finally {
      this.#ended = true;
      stop();
      // A guest that stays shall not be held at its next migration.
      await restore(this.#qmp, this.#former);
    }
  }

  async #ask(): Promise<QmpEnd | undefined> {
    try {
      const info = (await this.#qmp.execute('query-migrate')) as MigrationInfo;
      if (info.status === 'completed') return { status: 'completed' };
      if (info.status !== 'failed' && info.status !== 'cancelled') return undefined;
      return { status: info.status, reason: info['error-desc'] ?? `the migration ${info.status}` };
    } catch (error) {
      return { status: 'lost', reason: describeError(error).message };
    }
  }
}

async function readFormer(qmp: Qmp): Promise<Former> {
  const parameters = (await qmp.execute('query-migrate-parameters')) as { 'max-bandwidth': number };
  const known = (await qmp.execute('query-migrate-capabilities')) as readonly Capability[];
  const capabilities = known.filter(({ capability }) => capability in ours);
  return { bandwidth: parameters['max-bandwidth'], capabilities };
}

/** As far as QEMU still answers; never rejects. */
async function restore(qmp: Qmp, { bandwidth, capabilities }: Former): Promise<void> {
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': bandwidth }).catch(() => {});
  await qmp.execute('migrate-set-capabilities', { capabilities }).catch(() => {});
}

const lostEnd: QmpEnd = { status: 'lost', reason: 'QEMU closed its QMP socket' };
