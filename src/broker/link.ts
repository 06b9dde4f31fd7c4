import { Events, type NatsConnection } from 'nats';

/** Whether the connection to NATS stands, and how often it came back. */
export class Link {
  #connected = true;
  #reconnects = 0;

  constructor(connection: NatsConnection) {
    void this.#watch(connection);
  }

  get connected(): boolean {
    return this.#connected;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) this.#connected = false;
      else if (type === Events.Reconnect) {
        this.#connected = true;
        this.#reconnects += 1;
      }
    }
  }
}
