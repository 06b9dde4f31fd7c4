import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { obey } from '../app-commands.ts';
import { AppLoad } from '../app-load.ts';
import type { AppCommand, AppConfig, AppReport } from '../app-messages.ts';

/**
 * The application inside a guest: the same load as `app-process`, told over a TCP connection that outlives the guest's
 * migration. The first line that comes is an AppConfig, each further one an AppCommand; what goes is the guest's name,
 * then AppReports.
 */
const cmdline = readFileSync('/proc/cmdline', 'utf8');
const [, host = '', port = ''] = /forewarm\.control=([\d.]+):(\d+)/.exec(cmdline) ?? [];
const [, vm = ''] = /forewarm\.vm=(\S+)/.exec(cmdline) ?? [];
const control = connect({ host, port: Number(port), noDelay: true });
const say = (message: object) => void control.write(`${JSON.stringify(message)}\n`);
say({ vm });

let load: AppLoad | undefined;
const report = (message: AppReport) => say(message);
createInterface({ input: control }).on('line', (line) => {
  if (load !== undefined) {
    obey(load, JSON.parse(line) as AppCommand, report);
    return;
  }
  load = new AppLoad(JSON.parse(line) as AppConfig, report);
  void load.run().catch((error: unknown) => report({ kind: 'error', message: String(error) }));
});
