import { connect, type Socket } from 'node:net';

/** Where one NATS server is, and how a client says who it is there. */
export interface QuickServer {
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly pass?: string;
  readonly auth_token?: string;
}

/**
 * Asks one NATS server a few questions in one round trip, in its plain text protocol. For a process that lives for
 * the blink of an eye: loading the client library takes longer than all else that such a process does. It knows
 * neither TLS nor keys nor a second server; where there is more to it than a plain answer it gives undefined, and
 * the library is to be asked. Never rejects.
 */
export async function quickAsk(
  server: QuickServer,
  questions: readonly { readonly subject: string; readonly body: string }[],
  options: { readonly name: string; readonly timeoutMs: number },
): Promise<unknown[] | undefined> {
  let socket: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<unknown[]>((resolve, reject) => {
      const { host, port } = server;
      const answers = new Map<number, unknown>();
      let isGreeted = false;
      const inbox = `_INBOX.${process.pid.toString(36)}${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
      const reader = new FrameReader({
        info(info) {
          // A server says it again when its cluster changes.
          if (isGreeted) return;
          isGreeted = true;
          if (info['tls_required'] === true) throw new Error('TLS is asked for');
          const asked = questions.map(
            ({ subject, body }, at) =>
              `PUB ${subject} ${inbox}.${at} ${Buffer.byteLength(body)}\r\n${body}\r\n`,
          );
          socket?.write(`${helloLine(server, options.name)}\r\nSUB ${inbox}.* 1\r\n${asked.join('')}`);
        },
        ping: () => socket?.write('PONG\r\n'),
        message(subject, body) {
          answers.set(Number(subject.slice(inbox.length + 1)), JSON.parse(body));
          if (answers.size === questions.length) resolve(questions.map((_, at) => answers.get(at)));
        },
      });
      timer = setTimeout(reject, options.timeoutMs, new Error('no answer in time'));
      socket = connect({ host, port, noDelay: true });
      socket.on('error', reject);
      socket.on('close', reject);
      socket.on('data', (data) => {
        try {
          reader.read(data);
        } catch (error) {
          reject(error);
        }
      });
    });
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    socket?.destroy();
  }
}

/** What a client says first, without its line's end. */
export function helloLine({ host: _, port: __, ...identity }: QuickServer, name: string): string {
  const client = { verbose: false, pedantic: false, headers: true, no_responders: true, protocol: 1 };
  return `CONNECT ${JSON.stringify({ ...client, ...identity, lang: 'forewarm', version: '1', name })}`;
}

interface Frames {
  info(info: Record<string, unknown>): void;
  ping(): void;
  message(subject: string, body: string): void;
}

/** Takes a server's bytes apart. Throws at what is no plain answer: an error, or a message with a status. */
class FrameReader {
  readonly #frames: Frames;
  #rest: Buffer = Buffer.alloc(0);

  constructor(frames: Frames) {
    this.#frames = frames;
  }

  read(data: Buffer): void {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    for (;;) {
      const end = this.#rest.indexOf('\r\n');
      if (end < 0) return;
      const line = this.#rest.toString('utf8', 0, end);
      const word = line.split(/\s/, 1)[0]!.toUpperCase();
      let next = end + 2;
      if (word === 'MSG') {
        // MSG SUBJECT SID [REPLY] BYTES
        const parts = line.split(/\s+/);
        const bodyEnd = next + Number(parts.at(-1));
        if (!(bodyEnd >= next)) throw new Error(`not of NATS: ${line}`);
        if (this.#rest.length < bodyEnd + 2) return;
        this.#frames.message(parts[1]!, this.#rest.toString('utf8', next, bodyEnd));
        next = bodyEnd + 2;
      } else if (word === 'INFO') this.#frames.info(JSON.parse(line.slice(4)) as Record<string, unknown>);
      else if (word === 'PING') this.#frames.ping();
      else if (word !== 'PONG' && word !== '+OK') throw new Error(`not a plain answer: ${line}`);
      this.#rest = this.#rest.subarray(next);
    }
  }
}
