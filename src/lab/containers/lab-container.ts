import type { Container } from 'dockerode';
import { ForewarmError } from '../../lib/errors.ts';
import type { ContainerLab } from './lab-network.ts';
import { containerRuntime, labLabel, loadTestcontainers } from './runtime.ts';

export interface LabContainerOptions {
  readonly lab: ContainerLab;
  readonly image: string;
  /** How other containers of the lab reach it. */
  readonly alias: string;
  /** Published on 127.0.0.1. */
  readonly port: { readonly container: number; readonly host: number };
  readonly entrypoint?: readonly string[];
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly files?: readonly { readonly target: string; readonly content: string }[];
  /** What its log says when it serves. */
  readonly ready: RegExp;
}

const startTimeoutMs = 90_000;

/** One container; its port and its data stay the same over restarts. What it wrote is shown when it dies by itself. */
export class LabContainer {
  readonly #options: LabContainerOptions;
  #container: Container | undefined;
  #pid: number | undefined;
  #log = '';
  /** Resolves when the container's present run is over. */
  #ended: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(options: LabContainerOptions) {
    this.#options = options;
  }

  /** Of its first process, as the container's host has it; undefined while it is down. */
  get pid(): number | undefined {
    return this.#pid;
  }

  log(): string {
    return this.#log;
  }

  async start(): Promise<void> {
    if (this.#pid !== undefined) return;
    this.#stopping = false;
    try {
      if (this.#container === undefined) this.#container = await this.#create();
      else await this.#startAgain(this.#container);
      await this.#watch(this.#container);
    } catch (error) {
      throw this.#failure('could not be started', error);
    }
  }

  /** Ends it by a signal to its first process. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#container === undefined || this.#pid === undefined) return;
    this.#stopping = true;
    await this.#container.kill({ signal });
    await this.#ended;
  }

  async #create(): Promise<Container> {
    const { lab, image, alias, port, ready, files = [] } = this.#options;
    const { GenericContainer, Wait } = await loadTestcontainers();
    class LoopbackContainer extends GenericContainer {
      /** The library publishes on every address, and gives aliases in a second network only. */
      protected override async beforeContainerCreated(): Promise<void> {
        this.createOpts.NetworkingConfig = { EndpointsConfig: { [lab.network]: { Aliases: [alias] } } };
        const bindings = this.hostConfig.PortBindings as Record<string, { HostIp?: string }[]>;
        for (const binding of Object.values(bindings).flat()) binding.HostIp = '127.0.0.1';
      }
    }
    const container = new LoopbackContainer(image)
      .withLabels({ [labLabel]: lab.name })
      .withNetworkMode(lab.network)
      .withExposedPorts({ container: port.container, host: port.host })
      .withCommand([...this.#options.command])
      .withEnvironment({ ...this.#options.environment })
      .withCopyContentToContainer(files.map((file) => ({ ...file, mode: 0o755 })))
      .withLogConsumer((stream) => stream.on('data', (data) => this.#take(data)))
      .withWaitStrategy(Wait.forLogMessage(ready))
      .withStartupTimeout(startTimeoutMs);
    if (this.#options.entrypoint !== undefined) container.withEntrypoint([...this.#options.entrypoint]);
    if (this.#options.user !== undefined) container.withUser(this.#options.user);
    const started = await container.start();
    return (await containerRuntime()).container.getById(started.getId());
  }

  async #startAgain(container: Container): Promise<void> {
    const since = Date.now() / 1000;
    await container.start();
    const { container: client } = await containerRuntime();
    (await client.logs(container, { since })).on('data', (data) => this.#take(data));
  }

  /** Follows a run that has just begun to its end. */
  async #watch(container: Container): Promise<void> {
    const { State } = await container.inspect();
    if (!State.Running) throw new Error(`it ended with status ${State.ExitCode}`);
    this.#pid = State.Pid;
    this.#ended = container.wait().then(
      ({ StatusCode }: { StatusCode: number }) => this.#over(`ended with status ${StatusCode}`),
      (error: Error) => this.#over(`cannot be watched: ${error.message}`),
    );
  }

  #over(how: string): void {
    this.#pid = undefined;
    if (this.#stopping || this.#options.lab.isOver()) return;
    process.stderr.write(`${this.#failure(how).message}\n`);
  }

  #take(data: unknown): void {
    this.#log += String(data);
  }

  #failure(what: string, cause?: unknown): ForewarmError {
    const { alias, image } = this.#options;
    const tail = this.#log.trim().split('\n').slice(-20).join('\n') || 'it wrote nothing';
    return new ForewarmError('lab_unavailable', `the container ${alias} of ${image} ${what}: ${tail}`, {
      cause,
    });
  }
}
