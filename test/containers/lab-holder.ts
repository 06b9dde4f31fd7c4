import { startNats } from '../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';

/** Holds a container until it is killed. */
const server = await startNats({ owned: new OwnedProcesses() });
process.stdout.write(`${server.url}\n`);
setInterval(() => {}, 60_000);
