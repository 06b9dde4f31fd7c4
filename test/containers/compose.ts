import { fileURLToPath } from 'node:url';
import type { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { run } from '../../src/lab/run.ts';
import { ForewarmError } from '../../src/lib/errors.ts';

const file = fileURLToPath(new URL('../../docker/compose.yaml', import.meta.url));
/** Any free ones, so that a composition of somebody's own may run beside it. */
const ports = ['PRIMARY', 'DB1', 'DB2', 'NATS', 'DB1_AGENT', 'DB2_AGENT', 'PROMETHEUS', 'GRAFANA'];
/** Patience for a busy machine; on a quiet one all is healthy within a minute. */
const healthyWithinS = 180;

/**
 * Some services of docker/compose.yaml, under a name of their own. All that is made goes when what owns it is
 * disposed of or dies.
 */
export class Composition {
  readonly #name = `forewarm-test-${process.pid}`;
  readonly #label = `com.docker.compose.project=${this.#name}`;
  readonly #services: readonly string[];
  readonly #env = {
    ...process.env,
    ...Object.fromEntries(ports.map((name) => [`${name}_PORT`, ''])),
    FOREWARM_IMAGE: `${this.#name}:agent`,
  };

  constructor(options: { readonly owned: OwnedProcesses; readonly services: readonly string[] }) {
    this.#services = options.services;
    options.owned.ownContainers(this.#label);
  }

  async run(...args: readonly string[]): Promise<string> {
    return run('docker', ['compose', '-p', this.#name, '-f', file, ...args], { env: this.#env });
  }

  async build(): Promise<void> {
    await this.run('--progress', 'plain', 'build');
  }

  /** Resolves when all of them are healthy. Rejects with a report. */
  async up(): Promise<void> {
    const options = ['--no-build', '--wait', '--wait-timeout', `${healthyWithinS}`];
    await this.run('up', ...options, ...this.#services).catch(async (cause: unknown) => {
      throw new ForewarmError('lab_unavailable', `not all became healthy\n${await this.report()}`, { cause });
    });
  }

  async exec(service: string, ...command: readonly string[]): Promise<string> {
    return this.run('exec', '-T', service, ...command);
  }

  /** What a service has written since a time. */
  async logs(service: string, since?: Date): Promise<string> {
    const from = since === undefined ? [] : ['--since', since.toISOString()];
    return this.run('logs', '--no-log-prefix', '--no-color', ...from, service);
  }

  /** Of one service's container, also of one that is down. */
  async inspect(service: string, format: string): Promise<string> {
    const id = (await this.run('ps', '-aq', service)).trim();
    if (id === '') throw new ForewarmError('lab_unavailable', `${service} has no container`);
    return (await run('docker', ['inspect', '-f', format, id])).trim();
  }

  /** The state of each service, and the last lines of those that died or are not healthy; of all where all are well. */
  async report(): Promise<string> {
    const ids = (await this.run('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length === 0) return `${this.#name} has no containers`;
    const format =
      '{{index .Config.Labels "com.docker.compose.service"}}\t{{.State.Status}}\t{{.State.ExitCode}}\t{{.RestartCount}}\t{{if .State.Health}}{{.State.Health.Status}}{{end}}';
    const rows = (await run('docker', ['inspect', '-f', format, ...ids])).trim().split('\n');
    const states = rows.map((row) => {
      const [service = '', status, exit, restarts, health] = row.split('\t');
      const well = status === 'running' && restarts === '0' && health !== 'unhealthy';
      const text = `${service}: ${status} ${health}, last exit status ${exit}, restarted ${restarts} times`;
      return { service, well, text };
    });
    const unwell = states.filter(({ well }) => !well);
    const shown = (unwell.length > 0 ? unwell : states).map(({ service }) => service);
    const lines = unwell.length > 0 ? '60' : '20';
    const logs = await this.run('logs', '--no-color', '--tail', lines, ...shown);
    return [...states.map(({ text }) => text), logs].join('\n');
  }
}
