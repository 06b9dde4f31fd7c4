import { readFileSync } from 'node:fs';
import { freePort } from '../free-port.ts';
import type { OwnedProcesses } from '../owned-processes.ts';
import type { PostgresBinaries } from '../postgres-binaries.ts';
import {
  baseSettings,
  PostgresServer,
  type PostgresSettings,
  type StopMode,
  stopSignals,
  superuser,
} from '../postgres-server.ts';
import { slotName } from '../postgres-standby.ts';
import { until } from '../run.ts';
import { LabContainer } from './lab-container.ts';
import type { ContainerLab } from './lab-network.ts';

/** Any image with PostgreSQL's programs on its PATH and a user `postgres`; official ones by default. */
export const postgresImage = () => process.env['PG_IMAGE'] || 'postgres:18';

// As deep below the package's root from src/ as from dist/.
const serveScript = new URL('../../../docker/postgres/serve.sh', import.meta.url);

export interface PostgresContainerOptions {
  readonly owned: OwnedProcesses;
  readonly lab: ContainerLab;
  readonly binaries: PostgresBinaries;
  readonly name: string;
  readonly settings: PostgresSettings;
  /** Whose physical standby it becomes; without one it is a primary. */
  readonly primary?: PostgresServer;
}

/** One PostgreSQL server in a container of its own, published on 127.0.0.1. Its data folder is not within reach. */
export class PostgresContainer extends PostgresServer {
  readonly #container: LabContainer;

  static async create(options: PostgresContainerOptions): Promise<PostgresContainer> {
    return new PostgresContainer({ ...options, port: await freePort() });
  }

  private constructor(options: PostgresContainerOptions & { readonly port: number }) {
    super(options);
    const { lab, name, port, primary, settings } = options;
    const { listen_addresses: _, ...rest } = { ...baseSettings, ...settings };
    this.#container = new LabContainer({
      ...{ lab, image: postgresImage(), alias: name, user: 'postgres', ready: /ready to accept/ },
      port: { container: 5432, host: port },
      entrypoint: ['/serve.sh'],
      command: Object.entries(rest).map(([setting, value]) => `-c${setting}=${value}`),
      environment: {
        ...{ PGDATA: '/var/lib/postgresql/lab', HBA_METHOD: 'trust' },
        ...(primary === undefined
          ? {}
          : { PRIMARY: `host=${primary.name} user=${superuser}`, SLOT: slotName(name) }),
      },
      files: [{ target: '/serve.sh', content: readFileSync(serveScript, 'utf8') }],
    });
  }

  override get pid(): number | undefined {
    return this.#container.pid;
  }

  override log(): string {
    return this.#container.log();
  }

  /** Resolves when it takes connections: a standby, when it is consistent. */
  override async start(): Promise<void> {
    await this.#container.start();
    await until(
      `PostgreSQL ${this.name} to take connections`,
      () =>
        this.query('SELECT 1', [], { database: 'postgres' }).then(
          () => true,
          () => undefined,
        ),
      { timeoutMs: 60_000, everyMs: 50, hint: () => this.log().trim().split('\n').slice(-5).join('\n') },
    );
  }

  override async stop(mode: StopMode = 'fast'): Promise<void> {
    await this.#container.end(stopSignals[mode]);
  }

  override async kill(): Promise<void> {
    await this.#container.end('SIGKILL');
  }
}
