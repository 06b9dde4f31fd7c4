import { EventEmitter, once } from 'node:events';
import { ForewarmError } from '../lib/errors.ts';
import type { AppCommand, AppConfig, AppReport, LoadSample, Measure } from './app-messages.ts';
import type { OwnedProcesses } from './owned-processes.ts';
import { siblingScript } from './sibling-script.ts';
import { TouchedBlocks } from './touched-blocks.ts';

type Switched = Extract<AppReport, { kind: 'switched' }>;

/** The way to an application, wherever it runs. */
export interface AppLink {
  /** Of the process that it runs in. */
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<unknown>;
  send(command: AppCommand): void;
  onReport(listener: (report: AppReport) => void): void;
  /** Ends it after the reads in flight. */
  stop(): Promise<void>;
}

/** Starts an application VM as a process of its own; resolves when it is connected and reads. */
export async function startAppVm(owned: OwnedProcesses, config: AppConfig): Promise<AppVm> {
  const vm = new AppVm(config.vm, processLink(owned, config));
  await vm.ready();
  return vm;
}

function processLink(owned: OwnedProcesses, config: AppConfig): AppLink {
  const started = owned.spawn(
    process.execPath,
    [...siblingScript(import.meta.url, 'app-process'), JSON.stringify(config)],
    { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
  );
  const { child, pid, ended } = started;
  return {
    ...{ pid, ended },
    send(command) {
      if (child.connected) child.send(command);
    },
    onReport: (listener) => void child.on('message', listener),
    stop: () => owned.end(started, 'SIGTERM'),
  };
}

/** The parent's handle of one application VM. */
export class AppVm {
  readonly name: string;
  readonly #link: AppLink;
  readonly #events = new EventEmitter();
  readonly #samples: LoadSample[] = [];
  readonly #measured = new Map<string, LoadSample>();
  readonly #touched = new Map<string, string>();
  readonly #errors: string[] = [];
  #failed = 0;

  constructor(name: string, link: AppLink) {
    this.name = name;
    this.#link = link;
    link.onReport((report) => this.#take(report));
    void link.ended.then(() => this.#events.emit('ended'));
  }

  get pid(): number {
    return this.#link.pid;
  }

  /** All samples until now, one every 100 ms. */
  get samples(): readonly LoadSample[] {
    return this.#samples;
  }

  /** Reads that failed since the start. */
  get failedQueries(): number {
    return this.#failed;
  }

  /** The last messages of failed reads, ten at most. */
  get errors(): readonly string[] {
    return this.#errors;
  }

  /** Calls `listener` with each new sample; gives what ends it. */
  onSample(listener: (sample: LoadSample) => void): () => void {
    this.#events.on('sample', listener);
    return () => this.#events.off('sample', listener);
  }

  async ready(): Promise<void> {
    await this.#next('ready');
  }

  /** Resolves when the old connections are drained; measures run on from the swap. */
  async switchTo(dsn: string, measures: readonly Measure[] = []): Promise<Switched> {
    this.#forget(measures);
    const switched = this.#next<Switched>('switched');
    this.#send({ kind: 'switch', dsn, measures });
    return switched;
  }

  /** Measures from now on; `measured` gives the results. */
  measure(measures: readonly Measure[]): void {
    this.#forget(measures);
    this.#send({ kind: 'measure', measures });
  }

  /** Ends a measure before its time; `measured` gives the result. */
  endMeasure(name: string): void {
    this.#send({ kind: 'endMeasure', name });
  }

  /** The result of a measure of that name; waits until its time is over. */
  async measured(name: string): Promise<LoadSample> {
    return this.#measured.get(name) ?? this.#next<LoadSample>(`measured ${name}`);
  }

  /** The blocks of its table that it read during a measure that notes them, in rising order; waits for its end. */
  async touchedBlocks(name: string): Promise<readonly number[]> {
    return TouchedBlocks.blocksOf(this.#touched.get(name) ?? (await this.#next<string>(`touched ${name}`)));
  }

  /** Does a share of its reads at another server too; 0 ends it. */
  mirror(dsn: string, share: number): void {
    this.#send({ kind: 'mirror', dsn, share });
  }

  /** Makes a share of the hot ranges cold and as many cold ones hot. */
  shift(share: number): void {
    this.#send({ kind: 'shift', share });
  }

  /** Holds it to that many transactions a second; undefined lets it run as fast as it goes. */
  pace(maxTps?: number): void {
    this.#send({ kind: 'pace', ...(maxTps === undefined ? {} : { maxTps }) });
  }

  pause(): void {
    this.#send({ kind: 'pause' });
  }

  resume(): void {
    this.#send({ kind: 'resume' });
  }

  /** Ends it after the reads in flight. */
  async stop(): Promise<void> {
    await this.#link.stop();
  }

  #forget(measures: readonly Measure[]): void {
    for (const { name } of measures) {
      this.#measured.delete(name);
      this.#touched.delete(name);
    }
  }

  #send(command: AppCommand): void {
    this.#link.send(command);
  }

  #take(report: AppReport): void {
    if (report.kind === 'sample') {
      this.#samples.push(report);
      this.#failed += report.failed;
    }
    if (report.kind === 'measured') {
      this.#measured.set(report.name, report);
      this.#events.emit(`measured ${report.name}`, report);
      return;
    }
    if (report.kind === 'touched') {
      this.#touched.set(report.name, report.blocks);
      this.#events.emit(`touched ${report.name}`, report.blocks);
      return;
    }
    if (report.kind === 'error') {
      this.#errors.push(report.message);
      this.#errors.splice(0, this.#errors.length - 10);
      // An `error` event without a listener would throw.
      return;
    }
    this.#events.emit(report.kind, report);
  }

  /** The next event of that name; rejects when the process ends before. */
  async #next<T>(event: string): Promise<T> {
    const ended = new AbortController();
    const onEnd = () => ended.abort();
    this.#events.once('ended', onEnd);
    try {
      const [value] = await once(this.#events, event, { signal: ended.signal });
      return value as T;
    } catch (error) {
      throw new ForewarmError('lab_unavailable', `application ${this.name} ended before it was ${event}`, {
        hint: this.#errors.at(-1) ?? 'Its messages are on stderr.',
        cause: error,
      });
    } finally {
      this.#events.off('ended', onEnd);
    }
  }
}
