import { randomInt } from 'node:crypto';
import { createServer, type ListenOptions, type Server } from 'node:net';
import { ForewarmError } from '../lib/errors.ts';

/**
 * A free port on 127.0.0.1 below the range that the kernel gives to outgoing connections (from 32768),
 * so that a server that is down for a while finds its port free when it starts again. It is this process's until that
 * ends, for a server may take seconds to listen there: no other call of any process is given it meanwhile.
 * `draw`: which to try next.
 */
export async function freePort(draw = () => randomInt(15_000, 32_000)): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = draw();
    if (!(await claim(port))) continue;
    if (await isFree(port)) return port;
  }
  throw new ForewarmError('lab_unavailable', 'no free port between 15000 and 32000 on 127.0.0.1');
}

/**
 * False where the port is another's already. A name among the kernel's abstract sockets: it is of the same network
 * namespace as the port, takes no address from a server, keeps no process alive and ends with its process.
 */
async function claim(port: number): Promise<boolean> {
  const server = await listen({ path: `\0forewarm-lab-port-${port}` });
  server?.unref();
  return server !== undefined;
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen({ host: '127.0.0.1', port, exclusive: true });
  server?.close();
  return server !== undefined;
}

function listen(at: ListenOptions): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(at, () => resolve(server));
  });
}
