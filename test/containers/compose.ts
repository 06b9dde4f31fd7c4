import { fileURLToPath } from 'node:url';
import { run } from '../../src/lab/run.ts';
import { ForewarmError } from '../../src/lib/errors.ts';

const file = fileURLToPath(new URL('../../docker/compose.yaml', import.meta.url));
/** Any free ones, so that a composition of somebody's own may run beside it. */
const ports = ['PRIMARY', 'DB1', 'DB2', 'NATS', 'DB1_AGENT', 'DB2_AGENT', 'PROMETHEUS', 'GRAFANA'];

/** The composition of docker/compose.yaml under a name of its own. */
export class Composition {
  readonly #name = `forewarm-test-${process.pid}`;
  readonly #env = {
    ...process.env,
    ...Object.fromEntries(ports.map((name) => [`${name}_PORT`, ''])),
    FOREWARM_IMAGE: `${this.#name}:agent`,
  };

  /** Debian has no Grafana: where its image cannot be had, it is left out. */
  readonly services: readonly string[];

  constructor(services: readonly string[]) {
    this.services = services;
  }

  async run(...args: readonly string[]): Promise<string> {
    return run('docker', ['compose', '-p', this.#name, '-f', file, ...args], { env: this.#env });
  }

  async build(): Promise<void> {
    await this.run('--progress', 'plain', 'build');
  }

  /** Resolves when all of them are healthy. */
  async up(): Promise<void> {
    await this.run('up', '--no-build', '--wait', '--wait-timeout', '60', ...this.services);
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

  async down(): Promise<void> {
    await this.run('down', '-v', '--remove-orphans', '--timeout', '5');
    await run('docker', ['image', 'rm', '-f', this.#env.FOREWARM_IMAGE]);
  }
}
