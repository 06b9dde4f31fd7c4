import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Broker } from '../../broker/broker.ts';
import { ForewarmError } from '../../lib/errors.ts';
import { freePort } from '../free-port.ts';
import type { NatsServer } from '../nats-server.ts';
import type { OwnedChild, OwnedProcesses } from '../owned-processes.ts';
import { until } from '../run.ts';
import { siblingScript } from '../sibling-script.ts';
import type { DatabaseServer } from './database.ts';

export interface AgentProcessOptions {
  readonly owned: OwnedProcesses;
  readonly nats: NatsServer;
  readonly server: Pick<DatabaseServer, 'name' | 'agentDatabase'>;
  /** VMs, each of which logs in as a user of its name. */
  readonly vms: readonly string[];
  /** Over the lab's own settings, as in an agent's file. */
  readonly settings?: Readonly<Record<string, object>>;
  readonly logLevel?: string;
}

/** A `forewarm agent` process beside one server, as the user that setup.sql makes. */
export class AgentProcess {
  readonly replica: string;
  #child: OwnedChild;
  readonly #configFile: string;
  readonly #owned: OwnedProcesses;
  readonly #logFile: string;

  private constructor(
    options: AgentProcessOptions,
    files: { readonly config: string; readonly log: string },
  ) {
    this.replica = options.server.name;
    this.#owned = options.owned;
    this.#configFile = files.config;
    this.#logFile = files.log;
    this.#child = this.#spawn();
  }

  /** Writes the agent's file and starts it; `answering` says when it is there. */
  static async start(options: AgentProcessOptions): Promise<AgentProcess> {
    const { owned, nats, server, vms, settings } = options;
    const dir = owned.folder(`agent-${server.name}`);
    const configFile = join(dir, 'agent.yaml');
    const config = {
      replica: server.name,
      nats: { url: nats.url },
      database: server.agentDatabase,
      vms: vms.map((vm) => ({ vm, user: vm })),
      http: { listen: `127.0.0.1:${await freePort()}` },
      log: { level: options.logLevel ?? 'info' },
      observe: { collect: '2s' },
      account: { window: '10s' },
      ...settings,
    };
    // JSON is YAML.
    writeFileSync(configFile, JSON.stringify(config, null, 2));
    const logFile = join(dir, 'log');
    return new AgentProcess(options, { config: configFile, log: logFile });
  }

  /** Again after `stop`; `answering` says when it is there. */
  start(): void {
    this.#child = this.#spawn();
  }

  #spawn(): OwnedChild {
    const log = openSync(this.#logFile, 'a');
    try {
      const command = [...siblingScript(import.meta.url, '../../cli'), 'agent', '--config', this.#configFile];
      return this.#owned.spawn(process.execPath, command, { stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** What it has logged so far, JSON lines. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Resolves when it tells of itself that it can warm. */
  async answering(broker: Broker): Promise<void> {
    let over = false;
    void this.#child.ended.then(() => {
      over = true;
    });
    await until(
      `the agent of ${this.replica} to answer`,
      async () => {
        if (over) {
          throw new ForewarmError(
            'lab_unavailable',
            `the agent of ${this.replica} ended: ${this.#logTail()}`,
          );
        }
        const heartbeat = await broker.replicas.get(this.replica);
        return heartbeat?.value.canWarm === true ? true : undefined;
      },
      { timeoutMs: 30_000, everyMs: 50, hint: () => this.#logTail() },
    );
  }

  /** Holds it still, without its end. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    await this.#owned.end(this.#child, 'SIGTERM');
  }

  #logTail(): string {
    return this.log().trim().split('\n').slice(-5).join('\n');
  }
}
