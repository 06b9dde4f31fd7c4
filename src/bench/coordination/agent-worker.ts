import { Registry } from 'prom-client';
import { serveReplica } from '../../agent/agent.ts';
import { AgentMetrics } from '../../agent/agent-metrics.ts';
import { Precedence } from '../../agent/precedence.ts';
import { connectBroker } from '../../broker/broker.ts';
import { loadAgentConfig } from '../../config/load.ts';
import { SimulatedEngine } from '../../lab/simulated-engine.ts';
import { preciseNowMs } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/logger.ts';
import { retry } from '../../lib/retry.ts';
import { Instruments } from '../../metrics/instruments.ts';
import type { AgentWorkerConfig, WorkerCommand, WorkerReport } from './messages.ts';

/**
 * Many agents in one process: `agent-worker CONFIG`, where CONFIG is an AgentWorkerConfig as JSON. Each has a
 * NATS connection, a health endpoint and everything else of its own; its database is simulated.
 */
const worker = JSON.parse(process.argv[2] ?? '{}') as AgentWorkerConfig;
/** Connections that are made at the same time. */
const startingAtOnce = 8;

const stop = new AbortController();
const { config: base } = loadAgentConfig({ file: worker.file, env: {} });
const readFor = new Set<string>();
const precedence = new Precedence();

function report(message: WorkerReport): void {
  if (process.connected) process.send?.(message);
}

function onRead(vm: string): void {
  if (readFor.has(vm)) return;
  readFor.add(vm);
  report({ kind: 'read', vm, atMs: preciseNowMs() });
}

async function startAgent({
  replica,
  vms,
}: AgentWorkerConfig['agents'][number]): Promise<() => Promise<void>> {
  const config = { ...base, replica, vms: vms.map((vm) => ({ vm, user: vm })) };
  const engine = new SimulatedEngine({
    replica,
    workSetBlocks: worker.workSet.blocks,
    workSetRanges: worker.workSet.ranges,
    msPerStep: 5,
    readers: { vms, relations: worker.relations },
    onRead,
  });
  const logger = silentLogger;
  const broker = await retry(() => connectBroker({ ...config.nats, name: replica, logger }), {
    signal: stop.signal,
  });
  const metrics = new AgentMetrics(config, new Instruments(new Registry()));
  const served = serveReplica({ config, broker, engine, logger, metrics, precedence }, stop.signal);
  served.catch((error: unknown) => report({ kind: 'error', message: `${replica}: ${String(error)}` }));
  return async () => {
    await served.catch(() => {});
    await broker.close();
  };
}

process.on('message', (command: WorkerCommand) => {
  if (command.kind === 'stop') return stop.abort();
  globalThis.gc?.();
  report({ kind: 'memory', rssBytes: process.memoryUsage().rss });
});
process.on('disconnect', () => stop.abort());
process.on('SIGTERM', () => stop.abort());

globalThis.gc?.();
report({ kind: 'loaded', rssBytes: process.memoryUsage().rss });
const waiting = [...worker.agents];
const endings: (() => Promise<void>)[] = [];
await Promise.all(
  Array.from({ length: startingAtOnce }, async () => {
    for (let agent = waiting.shift(); agent !== undefined; agent = waiting.shift())
      endings.push(await startAgent(agent));
  }),
).catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
});
if (!stop.signal.aborted) report({ kind: 'running' });
await Promise.all(endings.map((end) => end()));
if (process.connected) process.disconnect();
