#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Command as CommanderCommand } from 'commander';
import type { CommandContext } from './commands/context.ts';
import { ForewarmError } from './lib/errors.ts';

interface Entry {
  readonly summary: string;
  /** Loaded only when it is the one that runs, so that the others cost nothing at the start. */
  readonly load: () => Promise<{ readonly createCommand: (context: CommandContext) => CommanderCommand }>;
}

const [called, system, ...callArgs] = process.argv.slice(2);
if (called === 'hook' && system === 'libvirt' && callArgs[0] !== undefined && !callArgs[0].startsWith('-')) {
  // libvirt waits for it: before anything else is loaded, and from the one file that the build has made of it.
  const bundle = fileURLToPath(new URL('./hook/start.cjs', import.meta.url));
  const hook: Pick<typeof import('./hypervisor/hook-process.ts'), 'runHookProcess'> = existsSync(bundle)
    ? createRequire(import.meta.url)(bundle).loadBundle()
    : await import('./hypervisor/hook-process.ts');
  await hook.runHookProcess(callArgs, 1);
}
const { Command, CommanderError } = await import('commander');

const entries: Readonly<Record<string, Entry>> = {
  agent: {
    summary: 'run the agent of one replica',
    load: () => import('./commands/agent.ts'),
  },
  migrate: {
    summary: "warm a replica for a VM, wait for it, and run the VM's migration",
    load: () => import('./commands/migrate.ts'),
  },
  arrive: {
    summary: 'say that a VM runs on its new host, and switch its route',
    load: () => import('./commands/arrive.ts'),
  },
  abort: {
    summary: 'say that a VM stays where it is',
    load: () => import('./commands/abort.ts'),
  },
  hook: {
    summary: "answer a hypervisor's hook, or install it",
    load: () => import('./commands/hook.ts'),
  },
  watch: {
    summary: "follow a hypervisor's events, and say which VMs have arrived",
    load: () => import('./commands/watch.ts'),
  },
  route: {
    summary: "show, set, delete or follow which replica a VM's connections go to",
    load: () => import('./commands/route.ts'),
  },
  estimate: {
    summary: 'ask every replica how well it could take a VM',
    load: () => import('./commands/estimate.ts'),
  },
  profile: {
    summary: 'show which relations a VM reads at a replica',
    load: () => import('./commands/profile.ts'),
  },
  status: {
    summary: 'show replicas and migrations',
    load: () => import('./commands/status.ts'),
  },
  history: {
    summary: "show a migration's events and the times between them",
    load: () => import('./commands/history.ts'),
  },
  doctor: {
    summary: 'check everything that an agent needs',
    load: () => import('./commands/doctor.ts'),
  },
  demo: {
    summary: 'move a VM between two replicas on this machine, and compare',
    load: () => import('./commands/demo.ts'),
  },
  bench: {
    summary: 'run a benchmark, or list them',
    load: () => import('./commands/bench.ts'),
  },
};

/** Exit statuses: 0 success, 1 error, 2 wrong usage or configuration, 3 not ready by the deadline, go on. */
const usageStatus = 2;
/** How long a command that was told to end may tidy up, in milliseconds. */
const endingMs = 2_000;

const args = process.argv.slice(2);
const ownArgs = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
const json = ownArgs.includes('--json');
const wanted = ownArgs.find((argument) => !argument.startsWith('-'));
const ending = new AbortController();

const context: CommandContext & { exitStatus: number } = {
  env: process.env,
  signal: ending.signal,
  exitStatus: 0,
  onSignal: undefined,
  drains: false,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

const signalNumbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

for (const signal of Object.keys(signalNumbers) as (keyof typeof signalNumbers)[]) {
  process.on(signal, () => {
    if (context.onSignal?.(signal)) return;
    if (ending.signal.aborted) process.exit(128 + signalNumbers[signal]);
    context.exitStatus = 128 + signalNumbers[signal];
    ending.abort(signal);
    // Whatever waits for a server does not keep a person waiting; an agent ends in its own order.
    if (!context.drains) setTimeout(() => process.exit(context.exitStatus), endingMs).unref();
  });
}

// A reader that went away (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function createProgram(): Promise<CommanderCommand> {
  const program = new Command('forewarm')
    .description("Warms a replica's buffer cache for one VM before the VM is migrated and reads there.")
    .version(version())
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  for (const [name, entry] of Object.entries(entries)) {
    const command = name === wanted ? (await entry.load()).createCommand(context) : new Command(name);
    command.summary(entry.summary);
    program.addCommand(inherit(command, program));
  }
  return program;
}

/** Commander hands these settings down only to commands that it makes itself. */
function inherit(command: CommanderCommand, parent: CommanderCommand): CommanderCommand {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
  return command;
}

function report(code: string, message: string, hint: string | undefined): void {
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: { code, message, ...(hint ? { hint } : {}) } })}\n`);
  } else {
    process.stderr.write(`forewarm: ${message}\n${hint ? `  ${hint}\n` : ''}`);
  }
}

function reportThrown(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // Plain `forewarm` prints the help as its error.
    if (error.code !== 'commander.help') {
      const known = wanted !== undefined && wanted in entries ? `${wanted} ` : '';
      report('config_invalid', error.message.replace(/^error: /, ''), `See \`forewarm ${known}--help\`.`);
    }
    return usageStatus;
  }
  if (error instanceof ForewarmError) {
    report(error.code, error.message, error.hint);
    return error.code === 'config_invalid' || error.code === 'name_invalid' ? usageStatus : 1;
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  report('internal', message, 'This is a fault of Forewarm itself; please report it.');
  return 1;
}

let status: number;
try {
  await (await createProgram()).parseAsync(args, { from: 'user' });
  status = context.exitStatus;
} catch (error) {
  // What fails because it was told to end is no error of its own.
  status = ending.signal.aborted && context.exitStatus !== 0 ? context.exitStatus : reportThrown(error);
}
process.exit(status);
