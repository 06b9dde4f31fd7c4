import { connect } from 'node:net';
import { ForewarmError } from '../../lib/errors.ts';

/** The protocol's question whether the server speaks TLS: any PostgreSQL answers it with one byte, before it asks who we are. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const answers = ['S', 'N'];

/** Rejects with `output_failed` unless a PostgreSQL (or a pooler) answers there within `timeoutMs`. */
export async function probeServer(host: string, port: number, timeoutMs: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
    const fail = (why: string) => {
      socket.destroy();
      reject(new ForewarmError('output_failed', `no PostgreSQL answers at ${host}:${port}: ${why}`));
    };
    // Not the socket's own time-out: that one starts anew with each sign of life.
    const timer = setTimeout(() => fail(`nothing within ${timeoutMs} ms`), timeoutMs);
    socket.once('connect', () => socket.write(sslRequest));
    socket.once('data', (data) => {
      if (!answers.includes(data.toString('latin1', 0, 1))) return fail('it is something else');
      socket.destroy();
      resolve();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.once('close', () => {
      clearTimeout(timer);
      fail('it closed the connection');
    });
  });
}
