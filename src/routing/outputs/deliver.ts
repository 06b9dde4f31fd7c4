import { describeError, ForewarmError } from '../../lib/errors.ts';
import { retry } from '../../lib/retry.ts';
import type { Route } from '../../messages/route.ts';
import type { DoneEpoch } from './done-epoch.ts';
import { Lane } from './lane.ts';
import type { RouteOutput } from './output.ts';

const onceAttempts = 3;

export interface DeliveryOptions {
  /** Brought to the newest route, in this order: what is overtaken by a newer route is left out. */
  readonly settings: readonly RouteOutput[];
  /** Told each epoch in order, once the settings are brought to it or to a newer one. */
  readonly command: RouteOutput | undefined;
  /** Which epoch the command was told last. */
  readonly done: DoneEpoch;
  /** The message names the output. `delayMs`: until it is tried again. */
  readonly onFailure: (error: Error, delayMs: number) => void;
  /** An output that had failed has succeeded. */
  readonly onMended: (name: string, route: Route) => void;
}

/** Brings every output to the routes that are pushed. Settings never wait for a command. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #settled = new Reached();
  readonly #failing = new Set<string>();
  readonly #lanes: { readonly settings: Lane; readonly command: Lane | undefined };

  constructor(options: DeliveryOptions) {
    this.#options = options;
    const { settings, command, onFailure } = options;
    const failed = (_: Route, error: unknown, delayMs: number) => onFailure(error as Error, delayMs);
    this.#lanes = {
      settings: new Lane({
        keep: 'newest',
        apply: async (route, signal) => {
          for (const output of settings) await this.#bring(output, route, signal);
        },
        onStart: ({ epoch }) => this.#settled.reach(epoch - 1),
        onEnd: ({ epoch }, succeeded) => {
          if (succeeded) this.#settled.reach(epoch);
        },
        onFailure: failed,
      }),
      command:
        command === undefined
          ? undefined
          : new Lane({
              keep: 'all',
              apply: async (route, signal) => {
                if (settings.length > 0) await this.#settled.wait(route.epoch, signal);
                if (!signal.aborted) await this.#bring(command, route, signal);
              },
              onEnd: ({ epoch }) => this.#markDone(epoch),
              onFailure: failed,
            }),
    };
  }

  push(route: Route): void {
    this.#lanes.settings.push(route);
    if (this.#isNew(route)) this.#lanes.command?.push(route);
  }

  /** Works until `signal` aborts, and lets attempts that are under way end. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#lanes.settings.run(signal), this.#lanes.command?.run(signal)]);
  }

  /** Does it all for these routes, which end with the present one. Rejects with what did not succeed after some tries. */
  async once(routes: readonly Route[], signal: AbortSignal): Promise<void> {
    const { settings, command, onFailure } = this.#options;
    const last = routes.at(-1);
    if (last === undefined) return;
    const tried = (output: RouteOutput, route: Route) =>
      retry(() => this.#bring(output, route, signal), {
        signal,
        attempts: onceAttempts,
        firstDelayMs: 500,
        onRetry: (error, delayMs) => onFailure(error as Error, delayMs),
      });
    for (const output of settings) await tried(output, last);
    for (const route of routes.filter((one) => this.#isNew(one))) {
      if (command === undefined) continue;
      await tried(command, route);
      await this.#options.done.done(route.epoch);
    }
  }

  #isNew(route: Route): boolean {
    const { epoch } = this.#options.done;
    return epoch === undefined || route.epoch > epoch;
  }

  async #bring(output: RouteOutput, route: Route, signal: AbortSignal): Promise<void> {
    const { name } = output;
    try {
      await output.apply(route, signal);
    } catch (error) {
      this.#failing.add(name);
      const { code, message } = describeError(error);
      const hint = error instanceof ForewarmError ? error.hint : undefined;
      throw new ForewarmError(
        code === 'internal' ? 'output_failed' : code,
        `${name}, epoch ${route.epoch}: ${message}`,
        { cause: error, ...(hint === undefined ? {} : { hint }) },
      );
    }
    if (this.#failing.delete(name)) this.#options.onMended(name, route);
  }

  async #markDone(epoch: number): Promise<void> {
    await this.#options.done.done(epoch).catch((error: Error) => this.#options.onFailure(error, 0));
  }
}

/** A number that only rises, and those who wait for it. */
class Reached {
  #epoch = Number.NEGATIVE_INFINITY;
  readonly #waiting = new Set<() => void>();

  reach(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
    for (const look of [...this.#waiting]) look();
  }

  /** Resolves when it is reached, or `signal` aborts. */
  async wait(epoch: number, signal: AbortSignal): Promise<void> {
    if (this.#epoch >= epoch || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (this.#epoch < epoch && !signal.aborted) return;
        this.#waiting.delete(look);
        signal.removeEventListener('abort', look);
        resolve();
      };
      this.#waiting.add(look);
      signal.addEventListener('abort', look);
    });
  }
}
