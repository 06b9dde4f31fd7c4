import type { RouteListener } from '../broker/route-feed.ts';
import type { Route } from '../messages/route.ts';
import type { SwitchSettings } from './options.ts';
import type { Report } from './report.ts';

export interface WantedEvents {
  /** The route leads elsewhere, or has a new epoch. */
  changed(): void;
  /** For what is said to people. */
  whereItIs(): string;
}

/** Where a VM's route leads, as far as it was told: epochs only rise, and an outage of NATS changes nothing. */
export class Wanted {
  readonly #settings: SwitchSettings;
  readonly #report: Report;
  readonly #events: WantedEvents;
  readonly #heard = new AbortController();
  #replica: string;
  #epoch = 0;
  #natsIsLost = false;
  #ignored = '';

  constructor(settings: SwitchSettings, report: Report, events: WantedEvents) {
    this.#settings = settings;
    this.#report = report;
    this.#events = events;
    this.#replica = settings.defaultReplica;
  }

  get replica(): string {
    return this.#replica;
  }

  /** 0 while no route was told. */
  get epoch(): number {
    return this.#epoch;
  }

  get isKnown(): boolean {
    return this.#settings.replicas.has(this.#replica);
  }

  /** Aborts when NATS has told what it knows, or cannot be asked. */
  get heard(): AbortSignal {
    return this.#heard.signal;
  }

  readonly listener: RouteListener = {
    route: (route) => {
      this.#routed(route);
      this.listener.current();
    },
    current: () => {
      if (this.#natsIsLost) this.#report.notice('nats back', 'NATS tells routes again');
      this.#natsIsLost = false;
      this.#heard.abort();
    },
    lost: (error) => {
      if (!this.#natsIsLost) {
        const where = this.#events.whereItIs();
        this.#report.count('natsLost');
        this.#report.notice('nats lost', `NATS does not tell routes; the pool stays at ${where}`, error);
      }
      this.#natsIsLost = true;
      this.#heard.abort();
    },
  };

  #routed({ replica, epoch, at }: Route): void {
    if (epoch === this.#epoch && replica === this.#replica) return;
    if (epoch <= this.#epoch) {
      // A watch that is made anew tells it anew.
      const mark = `${epoch} ${replica} ${at}`;
      if (mark === this.#ignored) return;
      this.#ignored = mark;
      this.#report.count('epochsIgnored');
      this.#report.notice('epoch ignored', `a route to ${replica} has epoch ${epoch}, after ${this.#epoch}`);
      return;
    }
    this.#epoch = epoch;
    this.#replica = replica;
    if (!this.isKnown) {
      const message = `the route of ${this.#settings.vm} leads to ${replica}, which is not among the pool's replicas`;
      this.#report.notice('replica unknown', `${message}: it stays at ${this.#events.whereItIs()}`);
    }
    this.#events.changed();
  }
}
