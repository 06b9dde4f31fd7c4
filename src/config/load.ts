import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { hookFile } from './defaults.ts';
import { ConfigError, type ConfigFault } from './faults.ts';
import { type FlatOption, flatten, isOption, mayComeFromFile, type OptionTree } from './option.ts';
import {
  type AgentConfig,
  agentOptions,
  type HookConfig,
  hookOptions,
  type PublisherConfig,
  publisherOptions,
  type RouteWatchConfig,
  routeWatchOptions,
} from './options.ts';
import { suggest } from './suggest.ts';
import { ruleKeys } from './value-types.ts';
import { type Keys, YamlFile } from './yaml-file.ts';

export interface ConfigSource {
  /** The file of `--config`; must exist. */
  readonly file?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Values of flags by dotted path, as text; undefined where the caller has none to set options by, as a hook. */
  readonly flags?: Readonly<Record<string, string>>;
}

export interface Loaded<Config> {
  readonly config: Config;
  /** The same by dotted path, as text, with no secret in it. */
  readonly redacted: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  /** The file that was read, if there was one. */
  readonly file: string | undefined;
}

const agentFile = '/etc/forewarm/agent.yaml';
/** What a hypervisor's or an application's host has in its file. */
const hookFileOptions: OptionTree = { ...hookOptions, ...routeWatchOptions };
const allOptions: OptionTree = { ...agentOptions, ...hookFileOptions };

/** Reads an agent's configuration: file < environment < flags. Throws ConfigError with every fault. */
export function loadAgentConfig(source: ConfigSource = {}): Loaded<AgentConfig> {
  return load<AgentConfig>(source, { tree: agentOptions, known: agentOptions, file: agentFile });
}

/** Reads a hypervisor host's configuration. Throws ConfigError with every fault. */
export function loadHookConfig(source: ConfigSource = {}): Loaded<HookConfig> {
  return load<HookConfig>(source, { tree: hookOptions, known: hookFileOptions, file: hookFile });
}

/** Reads how to reach NATS from an agent's or a hypervisor's file. Throws ConfigError with every fault. */
export function loadPublisherConfig(source: ConfigSource = {}): Loaded<PublisherConfig> {
  return load<PublisherConfig>(source, {
    tree: publisherOptions,
    known: allOptions,
    file: hookFile,
  });
}

/** Reads what a route is to be written into, and how to reach NATS. Throws ConfigError with every fault. */
export function loadRouteWatchConfig(source: ConfigSource = {}): Loaded<RouteWatchConfig> {
  return load<RouteWatchConfig>(source, { tree: routeWatchOptions, known: allOptions, file: hookFile });
}

interface Kind {
  readonly tree: OptionTree;
  /** What the file may hold. */
  readonly known: OptionTree;
  readonly file: string;
}

interface Found {
  readonly value: unknown;
  /** Place of a value, or of one inside of it. */
  readonly place: (inner: Keys) => string;
  /** Place of a key inside of it. */
  readonly placeOfKey: (inner: Keys, key: string) => string;
}

function load<Config>(source: ConfigSource, kind: Kind): Loaded<Config> {
  const env = source.env ?? process.env;
  const faults: ConfigFault[] = [];
  const explicit = source.file ?? env['FOREWARM_CONFIG'];
  const fileName = explicit ?? kind.file;
  const read = YamlFile.read(fileName);
  let file: YamlFile | undefined;
  if (read instanceof YamlFile) {
    file = read;
    faults.push(...file.faults);
    if (faults.length === 0) faults.push(...unknownKeys(file, kind.known, []));
  } else if (read !== undefined) {
    faults.push(read);
  } else if (explicit !== undefined) {
    faults.push({ place: fileName, path: '', message: 'is not there' });
  }
  const values = new Map<string, unknown>();
  const redacted: Record<string, unknown> = {};
  // Without its file, what is missing would only be noise.
  const broken = faults.length > 0 && (file === undefined || file.faults.length > 0);
  for (const flat of flatten(kind.tree)) {
    const found = find({ flat, file: broken ? undefined : file, env, flags: source.flags ?? {}, faults });
    if (found === undefined) continue;
    const value = check(flat, found, faults);
    if (value === undefined) {
      if (!flat.option.required || broken) continue;
      if (faults.some((fault) => fault.path === flat.path || fault.path.startsWith(`${flat.path}.`)))
        continue;
      faults.push({
        place: file?.name ?? 'configuration',
        path: flat.path,
        message: missing(flat, {
          hasFlags: source.flags !== undefined,
          fileName,
          hasFile: file !== undefined,
        }),
      });
    }
    values.set(flat.path, value);
    redacted[flat.path] = redact(flat, value);
  }
  if (faults.length > 0) throw new ConfigError(faults);
  const config = build(kind.tree, values, []) as Config;
  return { config, redacted, warnings: unknownVariables(env), file: file?.name };
}

/** Says of an option that must be given where it can be: a hook has neither flags nor an environment of ours. */
function missing(
  { env, flag }: FlatOption,
  where: { readonly hasFlags: boolean; readonly fileName: string; readonly hasFile: boolean },
): string {
  const { hasFlags, fileName, hasFile } = where;
  const otherwise = hasFlags ? `, or by ${flag === undefined ? env : `${env} or ${flag}`}` : '';
  const file = hasFile ? '' : ` (there is no ${fileName}${hasFlags ? '; see --config' : ''})`;
  return `is missing: set it in the file${otherwise}${file}`;
}

/** The value with the highest precedence, with its place; never undefined but after a fault. */
function find(options: {
  readonly flat: FlatOption;
  readonly file: YamlFile | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags: Readonly<Record<string, string>>;
  readonly faults: ConfigFault[];
}): Found | undefined {
  const { flat, file, env, flags, faults } = options;
  const { option, path, keys } = flat;
  const fixed = (place: string) => ({ place: () => place, placeOfKey: () => place });
  const fromText = (text: string, place: string): Found | undefined => {
    try {
      return { value: option.type.fromText?.(text) ?? text, ...fixed(place) };
    } catch {
      faults.push({ place, path, message: `must be a ${option.type.label}` });
      return undefined;
    }
  };
  const fromFile = (name: string, place: string): Found | undefined => {
    try {
      return fromText(readFileSync(name, 'utf8').trim(), place);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      faults.push({ place, path, message: `cannot be read from ${name} (${code})` });
      return undefined;
    }
  };
  const flag = flags[path];
  if (flag !== undefined) return fromText(flag, `flag ${flat.flag ?? path}`);
  const variable = env[flat.env];
  if (variable !== undefined && variable !== '') return fromText(variable, `environment ${flat.env}`);
  if (mayComeFromFile(option)) {
    const named = env[`${flat.env}_FILE`];
    if (named) return fromFile(named, `environment ${flat.env}_FILE`);
    const fileKeys = [...keys.slice(0, -1), `${keys.at(-1)}File`];
    const written = file?.valueAt(fileKeys);
    if (typeof written === 'string') return fromFile(written, file!.placeOf(fileKeys));
  }
  const value = file?.valueAt(keys);
  if (file !== undefined && value !== undefined && value !== null) {
    return {
      value,
      place: (inner) => file.placeOf([...keys, ...inner]),
      placeOfKey: (inner, key) => file.placeOfKey([...keys, ...inner], key),
    };
  }
  return { value: option.default, ...fixed('default') };
}

function check(flat: FlatOption, found: Found, faults: ConfigFault[]): unknown {
  if (found.value === undefined) return undefined;
  const result = flat.option.type.schema.safeParse(found.value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) faults.push(...faultsOf(flat, found, issue));
  return undefined;
}

function faultsOf(flat: FlatOption, found: Found, issue: z.core.$ZodIssue): ConfigFault[] {
  const inner = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  const path = [flat.path, ...inner].join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      place: found.placeOfKey(inner, key),
      path: `${path}.${key}`,
      message: unknown(suggest(key, ruleKeys)),
    }));
  }
  const value = inner.reduce<unknown>(
    (at, key) => (at as Record<string, unknown> | undefined)?.[key],
    found.value,
  );
  const shown = mayComeFromFile(flat.option) ? undefined : JSON.stringify(value)?.slice(0, 60);
  const message = value === undefined ? 'is missing' : issue.message;
  return [
    { place: found.place(inner), path, message: `${message}${shown === undefined ? '' : `, not ${shown}`}` },
  ];
}

function unknown(nearest: string | undefined): string {
  return `is no known option${nearest === undefined ? '' : `; did you mean ${nearest}?`}`;
}

/** Keys of the file that no option has, at every level. */
function unknownKeys(file: YamlFile, tree: OptionTree, keys: readonly string[]): ConfigFault[] {
  const faults: ConfigFault[] = [];
  for (const key of file.keysAt(keys) ?? []) {
    const here = [...keys, key];
    const node = Object.hasOwn(tree, key) ? tree[key] : undefined;
    if (node !== undefined && isOption(node)) continue;
    if (node !== undefined) {
      const value = file.valueAt(here);
      if (file.keysAt(here) === undefined && value !== null) {
        const message = `must be a map of ${Object.keys(node).join(', ')}`;
        faults.push({ place: file.placeOf(here), path: here.join('.'), message });
      } else {
        faults.push(...unknownKeys(file, node, here));
      }
      continue;
    }
    const base = tree[key.replace(/File$/, '')];
    if (key.endsWith('File') && base !== undefined && isOption(base) && mayComeFromFile(base)) continue;
    const sibling = suggest(key, Object.keys(tree));
    const anywhere = flatten(tree).filter(
      (flat) => flat.keys.at(-1) === key || suggest(key, [flat.path]) !== undefined,
    );
    const nearest = sibling === undefined ? anywhere[0]?.path : sibling;
    const message = unknown(nearest === undefined ? undefined : [...keys, nearest].join('.'));
    faults.push({ place: file.placeOfKey(keys, key), path: here.join('.'), message });
  }
  return faults;
}

/** Variables that look like ours with a slip in the name; other FOREWARM_ variables may be somebody else's. */
function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = flatten(allOptions).flatMap(({ env: name, option }) =>
    mayComeFromFile(option) ? [name, `${name}_FILE`] : [name],
  );
  return Object.keys(env)
    .filter((name) => name.startsWith('FOREWARM_') && !known.includes(name))
    .flatMap((name) => {
      const rest = (variable: string) => variable.slice('FOREWARM_'.length);
      const nearest = suggest(rest(name), known.map(rest));
      return nearest === undefined || nearest.length < 5
        ? []
        : [`${name} is no known variable; did you mean FOREWARM_${nearest}?`];
    });
}

function redact(flat: FlatOption, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (flat.option.secret) return '[secret]';
  return flat.option.type.redact?.(value) ?? value;
}

function build(tree: OptionTree, values: ReadonlyMap<string, unknown>, above: readonly string[]): unknown {
  return Object.fromEntries(
    Object.entries(tree).map(([key, node]) => {
      const keys = [...above, key];
      return isOption(node)
        ? [`${key}${node.type.suffix}`, values.get(keys.join('.'))]
        : [key, build(node, values, keys)];
    }),
  );
}
