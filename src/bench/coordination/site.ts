import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Broker, connectBroker } from '../../broker/broker.ts';
import { openConnection } from '../../broker/connection.ts';
import { freePort } from '../../lab/free-port.ts';
import { type NatsCounters, natsCounters } from '../../lab/nats-monitor.ts';
import { type NatsServer, startNats } from '../../lab/nats-server.ts';
import type { OwnedProcesses } from '../../lab/owned-processes.ts';
import { processorMs, residentBytes } from '../../lab/processor-time.ts';
import { until } from '../../lab/run.ts';
import { silentLogger } from '../../lib/logger.ts';
import { AgentsProcess } from './agent-process.ts';
import { watchedStates } from './round.ts';
import { type CoordinationSettings, replicaName, replicasOf, vmsOf } from './settings.ts';
import { workerScript } from './worker-script.ts';

/** Counters at one moment. */
export interface SiteReading {
  readonly atMs: number;
  readonly nats: NatsCounters;
  readonly natsCpuMs: number;
  readonly agentsCpuMs: number;
}

/** One NATS server and all agents, each with a connection of its own, in a few processes. */
export class CoordinationSite {
  readonly broker: Broker;
  readonly nats: NatsServer;
  readonly processes: readonly AgentsProcess[];
  readonly #settings: CoordinationSettings;
  readonly #monitorPort: number;
  /** First reads by VM, in the order of their coming. */
  readonly firstReads = new Map<string, number>();
  readonly #listening: Awaited<ReturnType<typeof openConnection>>;
  onEvent: (data: Uint8Array) => void = () => {};

  private constructor(parts: {
    readonly settings: CoordinationSettings;
    readonly owned: OwnedProcesses;
    readonly nats: NatsServer;
    readonly monitorPort: number;
    readonly broker: Broker;
    readonly listening: Awaited<ReturnType<typeof openConnection>>;
    readonly folder: string;
    readonly script: readonly string[];
  }) {
    const { settings, owned, nats, broker, folder, script } = parts;
    this.#settings = settings;
    this.nats = nats;
    this.broker = broker;
    this.#monitorPort = parts.monitorPort;
    this.#listening = parts.listening;
    for (const state of watchedStates) {
      this.#listening.subscribe(broker.subjects.event('*', state), {
        callback: (_, { data }) => this.onEvent(data),
      });
    }
    const file = join(folder, 'agent.yaml');
    writeFileSync(file, JSON.stringify(agentSettings(nats.url)));
    const onRead = (vm: string, atMs: number) => {
      if (!this.firstReads.has(vm)) this.firstReads.set(vm, atMs);
    };
    this.processes = Array.from({ length: settings.processes }, (_, index) => {
      const agents = replicasOf(index, settings).map((replica) => ({
        replica: replicaName(replica),
        vms: vmsOf(replica, settings),
      }));
      const { workSet, relations } = settings;
      return new AgentsProcess(owned, { script, config: { file, agents, workSet, relations } }, onRead);
    });
  }

  static async start(settings: CoordinationSettings, owned: OwnedProcesses): Promise<CoordinationSite> {
    const monitorPort = await freePort();
    const nats = await startNats({ owned, config: `http: "127.0.0.1:${monitorPort}"` });
    const named = { url: nats.url, name: 'bench', logger: silentLogger };
    const [broker, listening] = await Promise.all([connectBroker(named), openConnection(named)]);
    const folder = owned.folder('agents');
    const script = await workerScript(folder);
    return new CoordinationSite({
      ...{ settings, owned, nats, monitorPort, broker, listening, folder, script },
    });
  }

  /** Starts all agents; resolves when each has told of itself. */
  async startAgents(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.start()));
    await until(
      'every agent to tell of itself',
      async () => ((await this.broker.replicas.list()).length >= this.#settings.replicas ? true : undefined),
      { timeoutMs: 60_000, everyMs: 250 },
    );
  }

  async read(): Promise<SiteReading> {
    const pids = this.processes.flatMap(({ pid }) => pid ?? []);
    return {
      atMs: performance.now(),
      nats: await natsCounters(this.#monitorPort),
      natsCpuMs: processorMs(`/proc/${this.nats.pid}/stat`),
      agentsCpuMs: pids.reduce((sum, pid) => sum + processorMs(`/proc/${pid}/stat`), 0),
    };
  }

  /** Resident bytes: of NATS, and of an agent beyond what its process takes without one. */
  async memory(): Promise<{ readonly nats: number; readonly agent: number; readonly code: number }> {
    const bytes = await Promise.all(this.processes.map((process) => process.rssBytes()));
    const code = this.processes.reduce((sum, { loadedRssBytes }) => sum + loadedRssBytes, 0);
    return {
      nats: residentBytes(this.nats.pid ?? 0),
      agent: (bytes.reduce((sum, one) => sum + one, 0) - code) / this.#settings.replicas,
      code: code / this.processes.length,
    };
  }

  /** What was not well in the processes. */
  get errors(): readonly string[] {
    return this.processes.flatMap(({ errors }) => errors);
  }

  async close(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.stop()));
    await this.broker.close();
    await this.#listening.close();
    await this.nats.stop();
  }
}

/** As installed, but for a shorter look at the worth after the arrival, and a free port for each. */
function agentSettings(natsUrl: string) {
  return {
    replica: 'any',
    nats: { url: natsUrl },
    database: { engine: 'postgres', url: 'postgres://nobody@127.0.0.1:1/simulated' },
    http: { listen: '127.0.0.1:0' },
    log: { level: 'silent' },
    account: { window: '2s' },
  };
}
