import { connect, createServer } from 'node:net';

/** A TCP port of the guests' network that leads to a Unix socket of this machine. */
export interface Forward {
  readonly port: number;
  readonly path: string;
}

/**
 * `forward-process CONFIG` inside the guests' network, where CONFIG is JSON: `{ address, forwards }`. Unix sockets are
 * reached from there, loopback is not. Says `ready` on stdout when all ports listen.
 */
const { address, forwards } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly address: string;
  readonly forwards: readonly Forward[];
};

for (const { port, path } of forwards) {
  await new Promise<void>((resolve, reject) => {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (guest) => {
      const inside = connect({ path, allowHalfOpen: true });
      const end = () => {
        guest.destroy();
        inside.destroy();
      };
      guest.on('error', end);
      inside.on('error', end);
      guest.pipe(inside).pipe(guest);
    });
    server.once('error', reject);
    server.listen({ port, host: address }, resolve);
  });
}
process.stdout.write('ready\n');
