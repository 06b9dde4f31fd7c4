import { within } from '../lib/within.ts';
import { openProbe } from './bounds.ts';
import { catchUp, type Verdict } from './catch-up.ts';
import type { Driver, Probe } from './driver.ts';
import type { SwitchSettings } from './options.ts';
import type { Report } from './report.ts';

export type Lacking = Exclude<Verdict, { is: 'caught up' }>;

export interface ComparisonOptions<C> {
  readonly driver: Driver<C>;
  readonly settings: SwitchSettings;
  readonly report: Report;
  readonly from: string;
  readonly to: string;
  /** The old replica is failing, and left whatever the new one shows. */
  readonly fallback: boolean;
}

/** Two replicas side by side, each with a connection to look at it, for as long as a switch lasts. */
export class Comparison<C> {
  readonly #options: ComparisonOptions<C>;
  #old: Probe | undefined;
  #new: Probe | undefined;
  #gaveUp = false;

  constructor(options: ComparisonOptions<C>) {
    this.#options = options;
  }

  /** Rejects when the new replica refuses or does not answer; the old one need not. */
  async open(signal: AbortSignal): Promise<void> {
    const { driver, from, to, fallback, settings } = this.#options;
    const { connectMs, holdMs } = settings;
    // Of a failing replica nothing much is expected: those who wait for the fallback wait for this too.
    const oldMs = fallback ? Math.min(holdMs, connectMs) : connectMs;
    const comparing =
      settings.catchUp === null
        ? undefined
        : openProbe(driver, from, { ms: oldMs, signal }).catch(() => undefined);
    const target = await openProbe(driver, to, { ms: connectMs, signal }).catch(async (error) => {
      (await comparing)?.close();
      throw error;
    });
    this.#new = target;
    this.#old = await comparing;
    // The switch may have closed what was open before these were.
    if (signal.aborted) this.close();
    signal.throwIfAborted();
  }

  /** False when there is nothing to compare, or it is not compared any more. */
  get isOn(): boolean {
    return this.#options.settings.catchUp !== null && !this.#gaveUp;
  }

  /** Waits up to `limitMs` until the new replica shows what was seen on the old one until now. */
  async make(limitMs: number, signal?: AbortSignal): Promise<Verdict> {
    if (!this.isOn || this.#new === undefined) return { is: 'caught up' };
    if (this.#old === undefined) return { is: 'old is gone', why: `${this.#options.from} does not answer` };
    return await catchUp(this.#old, this.#new, { limitMs, ...(signal === undefined ? {} : { signal }) });
  }

  /** By policy; throws where the pool is to stay. Else nothing is compared from here on. */
  goAnyway(verdict: Lacking): void {
    const { from, to, fallback, settings } = this.#options;
    const oldAnswers = verdict.is === 'behind' || verdict.is === 'unknown';
    if (settings.catchUp?.otherwise === 'stay' && !fallback && oldAnswers) {
      throw new Error(`${to} cannot take over from ${from} yet: ${verdict.why}`);
    }
    this.#gaveUp = true;
    this.lacks(verdict);
  }

  /** Says that the new replica may not show all; where the old one is gone, nothing is compared from here on. */
  lacks({ is, why }: Lacking): void {
    const { from, to, report } = this.#options;
    if (is === 'old is gone') this.#gaveUp = true;
    report.count('behind');
    report.notice('behind', `${to} may not show all that was seen on ${from}: ${why}`);
  }

  /** Rejects when the new replica does not answer. */
  async pingNew(): Promise<void> {
    const { to, settings } = this.#options;
    const answer = this.#new?.ping() ?? Promise.resolve();
    await within(`${to}, after the swap`, answer, { ms: settings.connectMs, code: 'database_unreachable' });
  }

  /** Ends sessions at the old replica; best effort. */
  async endOldSessions(ids: readonly number[]): Promise<void> {
    const { driver, from, settings } = this.#options;
    const bound = { ms: settings.connectMs };
    this.#old ??= await openProbe(driver, from, bound).catch(() => undefined);
    const old = this.#old;
    const ending = Promise.allSettled(ids.map(async (id) => await old?.kill(id)));
    await within(`ending sessions of ${from}`, ending, bound).catch(() => {});
  }

  close(): void {
    this.#old?.close();
    this.#new?.close();
    this.#old = undefined;
    this.#new = undefined;
  }
}
