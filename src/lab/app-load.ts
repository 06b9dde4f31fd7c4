import { systemClock } from '../lib/clock.ts';
import { retry } from '../lib/retry.ts';
import { type AppClient, openAppClient } from './app-client.ts';
import type { AppConfig, AppReport, Measure } from './app-messages.ts';
import { LoadMeter } from './load-meter.ts';
import { LoadPattern } from './load-pattern.ts';
import { Mirror } from './mirror.ts';
import { TouchedBlocks } from './touched-blocks.ts';

/** How far behind its schedule a limited rate makes up for what it could not do. */
const catchUpMs = 100;

/**
 * Concurrent clients that read ranges of one table by prepared statements, each as soon as its last read has
 * ended. A read that fails is counted, and its connection is made anew.
 */
export class AppLoad {
  readonly #config: AppConfig;
  readonly #report: (report: AppReport) => void;
  readonly #pattern: LoadPattern;
  readonly #meters = new Set<LoadMeter>();
  readonly #noting = new Set<TouchedBlocks>();
  /** What ends each measure that is under way, by name. */
  readonly #ends = new Map<string, () => void>();
  readonly #stop = new AbortController();
  /** One a worker; replaced as a whole by a switch. */
  #clients: AppClient[] = [];
  /** The last read of each connection; resolves when it has ended, well or not. */
  readonly #inFlight = new WeakMap<AppClient, Promise<void>>();
  #dsn: string;
  #resumed: Promise<void> = Promise.resolve();
  #resume: () => void = () => {};
  #nextTurnMs = 0;
  #maxTps: number | undefined;
  #mirrored: Mirror | undefined;

  constructor(config: AppConfig, report: (report: AppReport) => void) {
    this.#config = config;
    this.#report = report;
    this.#dsn = config.dsn;
    this.#maxTps = config.maxTps;
    this.#pattern = new LoadPattern(config.shape);
  }

  /** Connects, reads until `stop`, closes. Rejects when the first connections cannot be made. */
  async run(): Promise<void> {
    this.#clients = await this.#openAll(this.#dsn);
    this.#report({ kind: 'ready' });
    const meter = new LoadMeter();
    this.#meters.add(meter);
    const timer = setInterval(() => {
      this.#report({ kind: 'sample', ...meter.sample() });
      meter.reset();
    }, this.#config.reportEveryMs ?? 100);
    this.#nextTurnMs = systemClock.monotonicMs();
    await Promise.all(this.#clients.map((_, worker) => this.#work(worker)));
    clearInterval(timer);
    await this.#mirrored?.close();
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  /** Opens connections to the new server, swaps, and drains the old ones: no read is cut off. */
  async switchTo(dsn: string, measures: readonly Measure[] = []): Promise<void> {
    const startMs = systemClock.monotonicMs();
    const fresh = await this.#openAll(dsn);
    const connectMs = systemClock.monotonicMs() - startMs;
    const atMs = systemClock.now().getTime();
    const old = this.#clients;
    this.#clients = fresh;
    this.#dsn = dsn;
    this.measure(measures);
    // To close a connection may cut off its read that is in flight.
    await Promise.all(old.map((client) => this.#inFlight.get(client)));
    await Promise.all(old.map((client) => client.close()));
    this.#report({
      kind: 'switched',
      atMs,
      connectMs,
      drainMs: systemClock.monotonicMs() - startMs - connectMs,
    });
  }

  measure(measures: readonly Measure[]): void {
    for (const { name, forMs, touched } of measures) {
      const meter = new LoadMeter();
      this.#meters.add(meter);
      const noted = touched === true ? new TouchedBlocks(this.#config.shape.rowCount) : undefined;
      if (noted !== undefined) this.#noting.add(noted);
      const end = () => {
        clearTimeout(timer);
        if (this.#ends.get(name) === end) this.#ends.delete(name);
        this.#meters.delete(meter);
        this.#report({ kind: 'measured', name, ...meter.sample() });
        if (noted === undefined) return;
        this.#noting.delete(noted);
        this.#report({ kind: 'touched', name, blocks: noted.encode() });
      };
      const timer = setTimeout(end, forMs);
      this.#ends.set(name, end);
    }
  }

  /** Ends a measure before its time. */
  endMeasure(name: string): void {
    this.#ends.get(name)?.();
  }

  shift(share: number): void {
    this.#pattern.shift(share);
  }

  pace(maxTps: number | undefined): void {
    this.#maxTps = maxTps;
    this.#nextTurnMs = systemClock.monotonicMs();
  }

  /** A share of the reads is done at another server too, and its answer not waited for; a share of 0 ends it. */
  async mirror(dsn: string, share: number): Promise<void> {
    const before = this.#mirrored;
    this.#mirrored = undefined;
    await before?.close();
    if (share > 0) this.#mirrored = await Mirror.open({ share, open: () => this.#open(dsn) });
  }

  pause(): void {
    this.resume();
    this.#resumed = new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#nextTurnMs = systemClock.monotonicMs();
    this.#resume();
  }

  stop(): void {
    this.#stop.abort();
    this.#resume();
  }

  async #work(worker: number): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#resumed;
      await this.#turn();
      if (this.#stop.signal.aborted) return;
      const client = this.#clients[worker];
      if (client === undefined) return;
      const startMs = systemClock.monotonicMs();
      try {
        await this.#read(client);
        const latencyMs = systemClock.monotonicMs() - startMs;
        for (const meter of this.#meters) meter.succeeded(latencyMs);
      } catch (error) {
        for (const meter of this.#meters) meter.failed();
        this.#report({ kind: 'error', message: String(error) });
        await this.#replace(worker, client);
      }
    }
  }

  async #read(client: AppClient): Promise<void> {
    const ids = this.#pattern.next();
    this.#mirrored?.offer(ids);
    const read = client.read(ids);
    const settled = read.then(
      () => {},
      () => {},
    );
    this.#inFlight.set(client, settled);
    await read;
    for (const noted of this.#noting) noted.mark(ids);
  }

  /** Waits for this worker's place in the schedule when the rate is limited. */
  async #turn(): Promise<void> {
    if (this.#maxTps === undefined) return;
    const nowMs = systemClock.monotonicMs();
    const turnMs = Math.max(this.#nextTurnMs, nowMs - catchUpMs);
    this.#nextTurnMs = turnMs + 1_000 / this.#maxTps;
    if (turnMs > nowMs) await systemClock.sleep(turnMs - nowMs, this.#stop.signal);
  }

  async #replace(worker: number, broken: AppClient): Promise<void> {
    void broken.close();
    const fresh = await retry(() => this.#open(this.#dsn), {
      firstDelayMs: 50,
      maxDelayMs: 500,
      signal: this.#stop.signal,
    }).catch(() => undefined);
    if (fresh === undefined) return;
    // A switch came first: its connection stays.
    if (this.#clients[worker] !== broken) await fresh.close();
    else this.#clients[worker] = fresh;
  }

  #openAll(dsn: string): Promise<AppClient[]> {
    return Promise.all(Array.from({ length: this.#config.clientCount }, () => this.#open(dsn)));
  }

  #open(dsn: string): Promise<AppClient> {
    const { vm, table } = this.#config;
    return openAppClient({ dsn, vm, table });
  }
}
