import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { AppCommand, AppConfig, AppReport } from '../app-messages.ts';

/** A guest's application that has called. */
export interface GuestLink {
  /** Starts its load. */
  configure(config: AppConfig): void;
  send(command: AppCommand): void;
  onReport(listener: (report: AppReport) => void): void;
}

/**
 * Waits for applications in guests to call, on a Unix socket. A guest's clock runs by itself and stands still while the
 * guest is moved, so that the times in its reports are made anew by this machine's clock.
 */
export class GuestLinks {
  readonly path: string;
  readonly #server: Server;
  readonly #awaited = new Map<string, (link: GuestLink) => void>();
  readonly #sockets = new Set<Socket>();

  private constructor(path: string) {
    this.path = path;
    this.#server = createServer((socket) => this.#greet(socket));
  }

  static async listen(path: string): Promise<GuestLinks> {
    const links = new GuestLinks(path);
    await new Promise<void>((resolve, reject) => {
      links.#server.once('error', reject);
      links.#server.listen(path, resolve);
    });
    links.#server.unref();
    return links;
  }

  /** Resolves when the application of that VM has called; ask before the guest is started. */
  next(vm: string): Promise<GuestLink> {
    return new Promise((resolve) => this.#awaited.set(vm, resolve));
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // A guest that is gone is told by its process.
    socket.on('error', () => {});
    const listeners: ((report: AppReport) => void)[] = [];
    const write = (message: object) => void socket.write(`${JSON.stringify(message)}\n`);
    const link: GuestLink = {
      configure: write,
      send: write,
      onReport: (listener) => void listeners.push(listener),
    };
    let greeted = false;
    const clock = new HostClock();
    const lines = createInterface({ input: socket });
    lines.on('error', () => {});
    lines.on('line', (line) => {
      const message: unknown = JSON.parse(line);
      if (greeted) {
        const report = clock.stamp(message as AppReport, Date.now());
        for (const listener of listeners) listener(report);
        return;
      }
      greeted = true;
      const { vm } = message as { vm: string };
      this.#awaited.get(vm)?.(link);
      this.#awaited.delete(vm);
    });
  }
}

/** Gives reports of a guest the times of this machine: a sample lasts from the one before it to when it came. */
export class HostClock {
  #lastSampleMs: number | undefined;

  stamp(report: AppReport, nowMs: number): AppReport {
    switch (report.kind) {
      case 'sample': {
        const atMs = this.#lastSampleMs ?? nowMs - report.durationMs;
        this.#lastSampleMs = nowMs;
        return { ...report, atMs, durationMs: Math.max(1, nowMs - atMs) };
      }
      case 'measured':
        return { ...report, atMs: nowMs - report.durationMs };
      case 'switched':
        return { ...report, atMs: nowMs - report.drainMs };
      default:
        return report;
    }
  }
}
