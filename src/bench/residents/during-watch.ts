import type { LoadSample } from '../../lab/app-messages.ts';
import type { AppVm } from '../../lab/app-vm.ts';
import { machineTime, sharesSince } from '../../lab/processor-time.ts';
import type { Watch } from './arms.ts';

/** Longer than any warming. */
const longestMs = 600_000;

/** The residents' reads from the begin of a warming to its end. */
export class DuringWatch implements Watch {
  readonly #residents: readonly AppVm[];
  beganMs: number | undefined;
  /** Part of the processors' time that was in use; undefined where nothing was warmed. */
  busyShare: number | undefined;
  #began = machineTime();

  constructor(residents: readonly AppVm[]) {
    this.#residents = residents;
  }

  readonly onBegin = (): void => {
    this.beganMs = Date.now();
    this.#began = machineTime();
    for (const vm of this.#residents) vm.measure([{ name: 'during', forMs: longestMs }]);
  };

  readonly onReady = (): void => {
    this.busyShare = sharesSince(this.#began)?.busy;
    for (const vm of this.#residents) vm.endMeasure('during');
  };

  /** Undefined where nothing has begun. */
  async result(): Promise<readonly LoadSample[] | undefined> {
    if (this.beganMs === undefined) return undefined;
    return Promise.all(this.#residents.map((vm) => vm.measured('during')));
  }
}
