import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ForewarmError } from '../lib/errors.ts';

/** An event of QEMU's, as it came. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const answerMs = 10_000;
const noSocket = "The socket is that of QEMU's own option `-qmp unix:PATH,server=on,wait=off`.";

/** One connection to a QEMU's QMP socket, which takes one client at a time. */
export class Qmp {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #greeted: () => void = () => {};
  #lastId = 0;
  /** Resolves when QEMU has closed the connection, or `close` did. */
  readonly closed: Promise<void>;

  private constructor(path: string) {
    this.#path = path;
    this.#socket = connect({ path });
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', () => {
        const gone = this.#failure('the connection is closed');
        for (const { reject } of this.#waiting.values()) reject(gone);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** Connects and leaves negotiation mode. Rejects with `hypervisor_failed`. */
  static async connect(path: string): Promise<Qmp> {
    const qmp = new Qmp(path);
    try {
      await qmp.#open();
      await qmp.execute('qmp_capabilities');
      return qmp;
    } catch (error) {
      qmp.close();
      throw error;
    }
  }

  /** The command's result. Rejects with `hypervisor_failed` and QEMU's own words, or without an answer. */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = ++this.#lastId;
    if (this.#socket.destroyed) throw this.#failure('the connection is closed');
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    try {
      return await this.#bounded(answer, command);
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Hands every event over from now on; the result stops it. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #open(): Promise<void> {
    const greeting = new Promise<void>((resolve, reject) => {
      this.#greeted = resolve;
      this.#socket.once('error', (error) => reject(this.#failure(error.message, noSocket)));
      // Somebody else may hold it: QEMU then says nothing at all.
      void this.closed.then(() => reject(this.#failure('it was closed before QEMU greeted')));
    });
    this.#socket.on('error', () => {});
    const lines = createInterface({ input: this.#socket });
    lines.on('line', (line) => this.#hear(line));
    // It repeats the socket's own.
    lines.on('error', () => {});
    await this.#bounded(greeting, 'greeting (does another client hold the socket?)');
  }

  #hear(line: string): void {
    let heard: unknown;
    try {
      heard = JSON.parse(line);
    } catch {
      return;
    }
    if (typeof heard !== 'object' || heard === null) return;
    const message = heard as Record<string, unknown>;
    if ('QMP' in message) {
      this.#greeted();
      return;
    }
    if (typeof message['event'] === 'string') {
      const event = { event: message['event'], data: (message['data'] ?? {}) as QmpEvent['data'] };
      for (const listener of this.#listeners) listener(event);
      return;
    }
    const waiting = this.#waiting.get(message['id'] as number);
    const error = message['error'] as { desc?: string } | undefined;
    if (error === undefined) waiting?.resolve(message['return']);
    else waiting?.reject(this.#failure(error.desc ?? 'an error without words'));
  }

  async #bounded<T>(work: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#failure(`no answer to ${what} within ${answerMs} ms`)), answerMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(what: string, hint?: string): ForewarmError {
    return new ForewarmError(
      'hypervisor_failed',
      `QEMU at ${this.#path}: ${what}`,
      hint === undefined ? {} : { hint },
    );
  }
}
