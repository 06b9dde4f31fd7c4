import { NatsServer } from '../nats-server.ts';
import type { OwnedProcesses } from '../owned-processes.ts';
import { LabContainer } from './lab-container.ts';
import { type ContainerLab, containerLab } from './lab-network.ts';

const configFile = '/etc/forewarm-nats.conf';

interface NatsContainerOptions {
  readonly owned: OwnedProcesses;
  readonly dir: string;
  readonly port: number;
}

/** A NATS server in a container of NATS_IMAGE, published on 127.0.0.1; configured, but not started. */
export async function createNatsContainer(options: NatsContainerOptions): Promise<NatsServer> {
  return new NatsContainer({ ...options, lab: await containerLab(options.owned) });
}

class NatsContainer extends NatsServer {
  readonly #lab: ContainerLab;
  #container: LabContainer | undefined;

  constructor(options: NatsContainerOptions & { readonly lab: ContainerLab }) {
    super({ ...options, binary: '' });
    this.#lab = options.lab;
  }

  override get pid(): number | undefined {
    return this.#container?.pid;
  }

  override log(): string {
    return this.#container?.log() ?? '';
  }

  /** Holds from the making of the container on, which is the first start. */
  override async configure(config: string): Promise<void> {
    const content = `listen: "0.0.0.0:4222"\njetstream { store_dir: "/data" }\n${config}\n`;
    this.#container ??= new LabContainer({
      ...{ lab: this.#lab, image: process.env['NATS_IMAGE'] || 'nats:2.10-alpine' },
      ...{ alias: `nats-${this.port}`, port: { container: 4222, host: this.port } },
      ...{ command: ['-c', configFile], files: [{ target: configFile, content }], ready: /Server is ready/ },
    });
  }

  override async start(): Promise<void> {
    await this.#container?.start();
    await this.untilAnswers(() => this.pid === undefined);
  }

  override async stop(): Promise<void> {
    await this.#container?.end('SIGTERM');
  }

  override async kill(): Promise<void> {
    await this.#container?.end('SIGKILL');
  }
}
