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

function obey(command: AppCommand): void {
  switch (command.kind) {
    case 'switch':
      load
        .switchTo(command.dsn, command.measures)
        .catch((error: unknown) => report({ kind: 'error', message: `switch: ${String(error)}` }));
      return;
    case 'measure':
      load.measure(command.measures);
      return;
    case 'endMeasure':
      load.endMeasure(command.name);
      return;
    case 'shift':
      load.shift(command.share);
      return;
    case 'pace':
      load.pace(command.maxTps);
      return;
    case 'mirror':
      load
        .mirror(command.dsn, command.share)
        .catch((error: unknown) => report({ kind: 'error', message: `mirror: ${String(error)}` }));
      return;
    case 'pause':
      load.pause();
      return;
    case 'resume':
      load.resume();
      return;
    case 'stop':
      load.stop();
      return;
  }
}

process.on('message', obey);
process.on('disconnect', () => load.stop());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => load.stop());
await load.run();
if (process.connected) process.disconnect();
