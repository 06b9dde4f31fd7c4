import { EventEmitter, once } from 'node:events';
import type { OwnedChild, OwnedProcesses } from '../../lab/owned-processes.ts';
import { ForewarmError } from '../../lib/errors.ts';
import type { AgentWorkerConfig, WorkerCommand, WorkerReport } from './messages.ts';

/** In MB: hundreds of agents share a heap here, each of which has one of its own elsewhere. */
const heapOfMany = ['--min-semi-space-size=16', '--max-semi-space-size=16', '--initial-old-space-size=1024'];

/** The parent's handle of a process of agents, over kills and new starts. */
export class AgentsProcess {
  readonly config: AgentWorkerConfig;
  readonly #owned: OwnedProcesses;
  readonly #script: readonly string[];
  readonly #onRead: (vm: string, atMs: number) => void;
  readonly #events = new EventEmitter();
  #running: OwnedChild | undefined;
  /** Resident bytes of the process before its first agent. */
  loadedRssBytes = 0;
  /** What went wrong in it, in words. */
  readonly errors: string[] = [];

  constructor(
    owned: OwnedProcesses,
    worker: { readonly script: readonly string[]; readonly config: AgentWorkerConfig },
    onRead: (vm: string, atMs: number) => void,
  ) {
    this.#owned = owned;
    this.#script = worker.script;
    this.config = worker.config;
    this.#onRead = onRead;
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Resolves when all its agents run. */
  async start(): Promise<void> {
    const running = this.#owned.spawn(
      process.execPath,
      ['--expose-gc', ...heapOfMany, ...this.#script, JSON.stringify(this.config)],
      { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
    );
    this.#running = running;
    running.child.on('message', (message) => this.#take(message as WorkerReport));
    const ended = new AbortController();
    void running.ended.then(() => ended.abort());
    await this.#next('running', ended.signal);
  }

  async rssBytes(): Promise<number> {
    const answer = this.#next<Extract<WorkerReport, { kind: 'memory' }>>(
      'memory',
      AbortSignal.timeout(30_000),
    );
    this.#send({ kind: 'memory' });
    return (await answer).rssBytes;
  }

  /** As a crash would; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#running !== undefined) await this.#owned.end(this.#running, 'SIGKILL');
  }

  async stop(): Promise<void> {
    if (this.#running !== undefined) await this.#owned.end(this.#running, 'SIGTERM');
  }

  #send(command: WorkerCommand): void {
    if (this.#running?.child.connected) this.#running.child.send(command);
  }

  #take(report: WorkerReport): void {
    if (report.kind === 'read') this.#onRead(report.vm, report.atMs);
    else if (report.kind === 'error') this.errors.push(report.message);
    else {
      if (report.kind === 'loaded') this.loadedRssBytes = report.rssBytes;
      this.#events.emit(report.kind, report);
    }
  }

  async #next<T>(event: WorkerReport['kind'], signal: AbortSignal): Promise<T> {
    try {
      return (await once(this.#events, event, { signal }))[0] as T;
    } catch (cause) {
      const what = this.errors.at(-1) ?? 'its messages are on stderr';
      throw new ForewarmError(
        'lab_unavailable',
        `a process of agents ended before it was ${event}: ${what}`,
        {
          cause,
        },
      );
    }
  }
}
