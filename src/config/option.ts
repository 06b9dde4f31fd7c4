import type { z } from 'zod';

/** How a value is written and what it becomes. */
export interface ValueType<T, Suffix extends string = ''> {
  /** The word in help and tables: `duration`, `size`, … */
  readonly label: string;
  readonly schema: z.ZodType<T>;
  /** The unit that the typed result's key ends in: `interval` becomes `intervalMs`. */
  readonly suffix: Suffix;
  /** What the environment or a flag says, as the file would say it; the text itself by default. */
  readonly fromText?: (text: string) => unknown;
  /** A printable form of a value that may hold a credential. */
  readonly redact?: (value: T) => string;
}

export interface OptionFacts {
  readonly description: string;
  /** As it would be written in the file; shown in tables. */
  readonly default?: unknown;
  /** Never printed and never a flag, since flags are seen by other users of the host. */
  readonly secret?: boolean;
}

/** One declared option; file, environment, flag, help and the README's table come from it. */
export interface Option<T, Suffix extends string = ''> extends OptionFacts {
  readonly type: ValueType<unknown, Suffix>;
  readonly required: boolean;
  /** Never set: carries the type of the result. */
  readonly result?: { readonly value: T };
}

// biome-ignore lint/suspicious/noExplicitAny: an option of whichever type
export type AnyOption = Option<any, string>;

/** Options by key, nested as in the file. */
export interface OptionTree {
  readonly [key: string]: AnyOption | OptionTree;
}

type SuffixOf<O> = O extends Option<unknown, infer Suffix> ? Suffix : '';

/** The typed result of a tree: the same nesting, keys with their units. */
export type ConfigOf<Tree> = {
  readonly [Key in keyof Tree & string as `${Key}${SuffixOf<Tree[Key]>}`]: Tree[Key] extends {
    readonly type: unknown;
    readonly required: boolean;
    readonly result?: { readonly value: infer T };
  }
    ? T
    : ConfigOf<Tree[Key]>;
};

function declare<T, Suffix extends string>(
  type: ValueType<unknown, Suffix>,
  facts: OptionFacts,
  required: boolean,
): Option<T, Suffix> {
  return { ...facts, type, required };
}

/** An option that has a default. */
export function option<T, Suffix extends string>(
  type: ValueType<T, Suffix>,
  facts: OptionFacts & { readonly default: unknown },
): Option<T, Suffix> {
  return declare<T, Suffix>(type as ValueType<unknown, Suffix>, facts, false);
}

/** An option that must be given. */
export function required<T, Suffix extends string>(
  type: ValueType<T, Suffix>,
  facts: OptionFacts,
): Option<T, Suffix> {
  return declare<T, Suffix>(type as ValueType<unknown, Suffix>, facts, true);
}

/** An option that may be missing: `undefined` in the result. */
export function optional<T, Suffix extends string>(
  type: ValueType<T, Suffix>,
  facts: OptionFacts,
): Option<T | undefined, Suffix> {
  return declare<T | undefined, Suffix>(type as ValueType<unknown, Suffix>, facts, false);
}

export function isOption(node: AnyOption | OptionTree): node is AnyOption {
  return typeof node['required'] === 'boolean';
}

export interface FlatOption {
  /** Dotted: `nats.url`. */
  readonly path: string;
  readonly keys: readonly string[];
  readonly option: AnyOption;
  /** `FOREWARM_NATS_URL` */
  readonly env: string;
  /** `--nats-url`; undefined for secrets. */
  readonly flag: string | undefined;
}

/** All options of a tree in the order of their declaration. */
export function flatten(tree: OptionTree, above: readonly string[] = []): readonly FlatOption[] {
  return Object.entries(tree).flatMap(([key, node]): readonly FlatOption[] => {
    const keys = [...above, key];
    if (!isOption(node)) return flatten(node, keys);
    const path = keys.join('.');
    const words = path.replaceAll(/([a-z0-9])([A-Z])/g, '$1.$2').split('.');
    const flag = node.secret ? undefined : `--${words.join('-').toLowerCase()}`;
    return [{ path, keys, option: node, env: `FOREWARM_${words.join('_').toUpperCase()}`, flag }];
  });
}

/** True where a `…File` key or `…_FILE` variable may name a file that holds the value. */
export function mayComeFromFile(option: AnyOption): boolean {
  return option.secret === true || option.type.redact !== undefined;
}
