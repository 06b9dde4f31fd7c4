import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { ForewarmError } from '../lib/errors.ts';

/** A server may take seconds from its port being chosen to its listening there. */
const given = new Set<number>();

/**
 * A free port on 127.0.0.1 below the range that the kernel gives to outgoing connections (from 32768),
 * so that a server that is down for a while finds its port free when it starts again. None twice in one process.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(15_000, 32_000);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new ForewarmError('lab_unavailable', 'no free port between 15000 and 32000 on 127.0.0.1');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
