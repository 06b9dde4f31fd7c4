import { createServer, connect as dial, type Server, type Socket } from 'node:net';

/** One client of the proxy, and its own connection to the server behind. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Half open: what comes from either side is lost, also its end. */
  silent: boolean;
}

interface Gate {
  readonly marker: string;
  passes: number;
}

/**
 * A TCP proxy on 127.0.0.1 that breaks as networks do. `silence` makes every connection half open: it is
 * accepted and never answered. `hold` stops a client at a message of its choice, so that a test reaches a
 * state for certain and not by its timing.
 */
export class TcpProxy {
  readonly #target: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #silent = false;
  #gate: Gate | null = null;
  #held: (() => void)[] = [];

  constructor(targetPort: number) {
    this.#target = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Connections of clients that are open. */
  get openCount(): number {
    return this.#pairs.size;
  }

  /** Messages of clients that wait at the gate. */
  get heldCount(): number {
    return this.#held.length;
  }

  /** Lets as many client messages with the marker in them through, and holds the next ones. */
  hold(marker: string, passes: number): void {
    this.#gate = { marker, passes };
  }

  /** Lets what waits at the gate through; what follows is held. */
  step(): void {
    for (const go of this.#held.splice(0)) go();
  }

  /** Opens the gate; what waited goes on. */
  release(): void {
    this.#gate = null;
    this.step();
  }

  /** From now on every connection is half open, those that are there and new ones. */
  silence(): void {
    this.#silent = true;
    for (const pair of this.#pairs) pair.silent = true;
  }

  /** New connections work again; the half open ones stay so, as after a firewall's restart. */
  heal(): void {
    this.#silent = false;
  }

  /** As new: nothing is held, and what is half open ends, so that its client connects again. */
  reset(): void {
    this.heal();
    this.release();
    for (const pair of [...this.#pairs]) if (pair.silent) this.#drop(pair);
  }

  async close(): Promise<void> {
    this.release();
    for (const pair of [...this.#pairs]) this.#drop(pair);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket): void {
    const server = dial({ host: '127.0.0.1', port: this.#target, allowHalfOpen: true });
    const pair: Pair = { client, server, silent: this.#silent };
    this.#pairs.add(pair);
    client.setNoDelay(true);
    server.setNoDelay(true);
    this.#forward(pair, client, server, (data) => this.#toServer(pair, data));
    this.#forward(pair, server, client, (data) => client.write(data));
  }

  #forward(pair: Pair, from: Socket, to: Socket, pass: (data: Buffer) => void): void {
    from.on('data', (data: Buffer) => {
      if (!pair.silent) pass(data);
    });
    from.on('end', () => {
      if (!pair.silent) to.end();
    });
    // An error is followed by `close`.
    from.on('error', () => {});
    from.on('close', () => {
      if (pair.silent && from === pair.server) return;
      this.#drop(pair);
    });
  }

  #toServer(pair: Pair, data: Buffer): void {
    const gate = this.#gate;
    if (gate === null || !data.includes(gate.marker)) {
      pair.server.write(data);
      return;
    }
    if (gate.passes > 0) {
      gate.passes -= 1;
      pair.server.write(data);
      return;
    }
    pair.client.pause();
    this.#held.push(() => {
      if (!pair.silent && !pair.server.destroyed) pair.server.write(data);
      pair.client.resume();
    });
  }

  #drop(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }
}
