import { obey } from './app-commands.ts';
import { AppLoad } from './app-load.ts';
import type { AppCommand, AppConfig, AppReport } from './app-messages.ts';

/**
 * An application VM as a process of its own: `app-process CONFIG`, where CONFIG is an AppConfig as JSON.
 * Takes commands over IPC and ends with its parent.
 */
const config = JSON.parse(process.argv[2] ?? '{}') as AppConfig;

function report(message: AppReport): void {
  // A parent that has gone meanwhile is no error: `disconnect` ends the load.
  if (process.send !== undefined && process.connected) process.send(message, undefined, undefined, () => {});
  else process.stdout.write(`${JSON.stringify(message)}\n`);
}

const load = new AppLoad(config, report);

process.on('message', (command: AppCommand) => obey(load, command, report));
process.on('disconnect', () => load.stop());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => load.stop());
await load.run();
if (process.connected) process.disconnect();
