import type { AppLoad } from './app-load.ts';
import type { AppCommand, AppReport } from './app-messages.ts';

/** Does what the parent says; what goes wrong is reported. */
export function obey(load: AppLoad, command: AppCommand, report: (report: AppReport) => void): void {
  const failed = (error: unknown) => report({ kind: 'error', message: `${command.kind}: ${String(error)}` });
  switch (command.kind) {
    case 'switch':
      load.switchTo(command.dsn, command.measures).catch(failed);
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
      load.mirror(command.dsn, command.share).catch(failed);
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
