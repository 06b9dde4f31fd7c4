import type { Command } from 'commander';
import type { Broker } from '../broker/broker.ts';
import { type ConfigSource, loadPublisherConfig } from '../config/load.ts';
import { flatten, type OptionTree } from '../config/option.ts';
import { type PublisherConfig, publisherOptions } from '../config/options.ts';
import { ForewarmError } from '../lib/errors.ts';
import { within } from '../lib/within.ts';
import { nameSchema } from '../messages/names.ts';
import { connectAs } from '../publisher/connect.ts';

/** What a command gets from the process that runs it. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts at the first SIGINT or SIGTERM; a second one ends the process. */
  readonly signal: AbortSignal;
  exitStatus: number;
  /** Set by a command that ends in its own order, however long that takes. */
  drains: boolean;
  /** A command that answers signals itself; true when it did. */
  onSignal: ((signal: NodeJS.Signals) => boolean) | undefined;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Parsed flags as commander keeps them. */
export type Flags = Readonly<Record<string, unknown>>;

/** Adds `--config` and a flag for every option of the tree that may be one. */
export function addConfigOptions(command: Command, tree: OptionTree = publisherOptions): Command {
  command.optionsGroup('Configuration:');
  command.option('--config <file>', 'configuration file (FOREWARM_CONFIG)');
  for (const { flag, option } of flatten(tree)) {
    if (flag === undefined) continue;
    const shown = option.default === undefined ? '' : ` (default: ${JSON.stringify(option.default)})`;
    command.option(`${flag} <${option.type.label.split(',')[0]}>`, `${option.description}${shown}`);
  }
  return command;
}

/** Where the configuration of this call comes from. */
export function configSource(
  context: CommandContext,
  flags: Flags,
  tree: OptionTree = publisherOptions,
): ConfigSource {
  const given: Record<string, string> = {};
  for (const { path, flag } of flatten(tree)) {
    const value = flag === undefined ? undefined : flags[attributeName(flag)];
    if (typeof value === 'string') given[path] = value;
  }
  const file = flags['config'];
  return { env: context.env, flags: given, file: typeof file === 'string' ? file : undefined };
}

/** Commander's key for `--nats-url`: `natsUrl`. */
function attributeName(flag: string): string {
  return flag.slice(2).replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Reads how to reach NATS; warnings go to stderr. */
export function publisherConfig(context: CommandContext, flags: Flags): PublisherConfig {
  const { config, warnings } = loadPublisherConfig(configSource(context, flags));
  for (const warning of warnings) context.err(`forewarm: ${warning}\n`);
  return config;
}

/** Connects, works, closes. */
export async function withBroker<T>(
  call: { readonly context: CommandContext; readonly flags: Flags; readonly name: string },
  work: (broker: Broker, config: PublisherConfig) => Promise<T>,
): Promise<T> {
  const config = publisherConfig(call.context, call.flags);
  const broker = await connectAs(call.name, config);
  try {
    return await work(broker, config);
  } finally {
    // What was acknowledged is done; a lost connection would drain for ever.
    await within('closing', broker.close(), { ms: 1_000 }).catch(() => {});
  }
}

/** Throws `name_invalid` before anything is sent. `what` is the flag or argument. */
export function checkName(what: string, value: string): string {
  if (nameSchema.safeParse(value).success) return value;
  throw new ForewarmError(
    'name_invalid',
    `${what}: ${JSON.stringify(value.slice(0, 100))} is not a valid name`,
    {
      hint: "Names are 1 to 64 of A-Z a-z 0-9 _ and -; map a hypervisor's other names in its configuration.",
    },
  );
}

/** Prints a result: JSON for programs, text for people. */
export function print(context: CommandContext, flags: Flags, value: unknown, text: () => string): void {
  context.out(flags['json'] === true ? `${JSON.stringify(value)}\n` : text());
}
