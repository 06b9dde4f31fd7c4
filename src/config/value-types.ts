import ipaddr from 'ipaddr.js';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { VmRule } from '../attribution/vm-rules.ts';
import { parseDurationMs } from '../lib/duration.ts';
import { nameSchema } from '../messages/names.ts';
import type { ValueType } from './option.ts';

export { parseDurationMs };

const bytesPerUnit: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Bytes of `512MB` (10⁶) or `1GiB` (2³⁰); undefined when it is none. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b)$/i.exec(text.trim());
  const unit = bytesPerUnit[match?.[2]?.toLowerCase() ?? ''];
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

/** 0 to 1 of `95%`, `0.95` or `'0.95'`; undefined when it is none. */
export function parseFraction(value: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(String(value).trim());
  if (match === null) return undefined;
  const fraction = match[2] === '%' ? Number(match[1]) / 100 : Number(match[1]);
  return fraction <= 1 ? fraction : undefined;
}

/** A zod type of whatever `read` understands; `must` ends the sentence "must be …". */
function readBy<T>(read: (value: string | number) => T | undefined, must: string): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    const result = typeof value === 'string' || typeof value === 'number' ? read(value) : undefined;
    if (result !== undefined) return result;
    context.addIssue({ code: 'custom', message: `must be ${must}` });
    return z.NEVER;
  });
}

const fromList = (text: string) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

/** A name that passes as a NATS subject token, a key and a file name. */
export const name: ValueType<string> = { label: 'name', schema: nameSchema, suffix: '' };

const text1 = z.string('must be text').min(1, 'must not be empty').max(4096, 'is too long');

export const text: ValueType<string> = { label: 'text', schema: text1, suffix: '' };

export const path: ValueType<string> = { label: 'path', schema: text1, suffix: '' };

export const textList: ValueType<readonly string[]> = {
  label: 'list',
  schema: z.array(text1, 'must be a list such as [app, shop]'),
  suffix: '',
  fromText: fromList,
};

export const duration: ValueType<number, 'Ms'> = {
  label: 'duration',
  schema: readBy((value) => parseDurationMs(String(value)), 'a duration such as 500ms, 20s or 10m'),
  suffix: 'Ms',
};

export const size: ValueType<number, 'Bytes'> = {
  label: 'size',
  schema: readBy((value) => parseBytes(String(value)) || undefined, 'a size such as 512kB, 8MiB or 1GiB'),
  suffix: 'Bytes',
};

export function fractionUpTo(most: number, example: string): ValueType<number> {
  const read = (value: string | number) => {
    const parsed = parseFraction(value);
    return parsed !== undefined && parsed <= most ? parsed : undefined;
  };
  return {
    label: 'fraction',
    schema: readBy(read, `a fraction from 0 to ${most}, or a percentage such as ${example}`),
    suffix: '',
  };
}

export const fraction = fractionUpTo(1, '95%');

export function whole(range: { readonly min: number; readonly max: number }): ValueType<number> {
  const read = (value: string | number) => {
    const number = /^\d+$/.test(String(value)) ? Number(value) : Number.NaN;
    return number >= range.min && number <= range.max ? number : undefined;
  };
  return {
    label: 'number',
    schema: readBy(read, `a whole number from ${range.min} to ${range.max}`),
    suffix: '',
  };
}

export function oneOf<const Word extends string>(...words: readonly Word[]): ValueType<Word> {
  return {
    label: words.join(', '),
    schema: z.enum(words, `must be one of ${words.join(', ')}`),
    suffix: '',
  };
}

/** Without the user's part altogether: a NATS URL may hold a token there. */
export const natsUrl: ValueType<string> = {
  label: 'URL',
  schema: text1.refine(
    (value) => value.split(',').every((one) => /^(nats|tls|ws|wss):\/\/[^\s]+$/.test(one.trim())),
    'must be a URL such as nats://127.0.0.1:4222, or several with commas between',
  ),
  suffix: '',
  redact: (value) => value.replaceAll(/\/\/[^,\s]*@/g, '//***@'),
};

/** The user's name stays in print; its password does not. */
export const databaseUrl: ValueType<string> = {
  label: 'URL',
  schema: text1.refine(
    (value) => /^(postgres|postgresql|mysql|mariadb):\/\/\S+$/.test(value),
    'must be a URL such as postgres://forewarm@127.0.0.1:5432/app',
  ),
  suffix: '',
  redact: (value) =>
    value
      .replace(/\/\/([^:/?#\s]*):\S*@/, '//$1:***@')
      .replaceAll(/([?&][^=&]*(?:password|key)[^=&]*=)[^&]*/gi, '$1***'),
};

/** `host:port`; `:9464` and `9464` listen on the loopback address. */
export const listen: ValueType<{ readonly host: string; readonly port: number }> = {
  label: 'host:port',
  schema: readBy((value) => {
    const match = /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]*):)?(\d{1,5})$/.exec(String(value));
    const port = Number(match?.[2]);
    if (match === null || port > 65_535) return undefined;
    return { host: match[1]?.replaceAll(/[[\]]/g, '') || '127.0.0.1', port };
  }, 'an address such as 127.0.0.1:9464'),
  suffix: '',
};

const ruleSchema = z.strictObject({
  vm: nameSchema,
  user: text1.exactOptional(),
  applicationName: text1.exactOptional(),
  address: text1
    .refine(
      (value) => ipaddr.isValid(value) || ipaddr.isValidCIDR(value),
      'must be an address or a range such as 10.0.3.0/24',
    )
    .exactOptional(),
  database: text1.exactOptional(),
});

/** Keys of a VM rule, for "did you mean". */
export const ruleKeys: readonly string[] = Object.keys(ruleSchema.shape);

export const vmRules: ValueType<readonly VmRule[]> = {
  label: 'list of rules',
  schema: z.array(ruleSchema, 'must be a list of rules such as - { vm: app1, user: app1 }'),
  suffix: '',
  fromText: (value) => parseYaml(value, { prettyErrors: false }),
};

/** Names of others (dots and spaces allowed) to names of ours. */
export const nameMap: ValueType<Readonly<Record<string, string>>> = {
  label: 'map',
  schema: z.record(z.string().min(1), nameSchema, 'must be a map such as { hv1: db1, hv2: db2 }'),
  suffix: '',
  fromText: (value) =>
    Object.fromEntries(
      fromList(value).map((pair): [string, string] => {
        const [from = '', to = ''] = pair.split('=');
        return [from.trim(), to.trim()];
      }),
    ),
};

const valueNames = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
/** What every route has by itself; no value of a replica may be called so. */
export const routeFacts: readonly string[] = ['vm', 'replica', 'epoch', 'at', 'migration'];
const oneLine = z
  .union([z.string(), z.number(), z.boolean()], 'must be text or a number')
  .transform(String)
  .refine((value) => /^\P{Cc}+$/u.test(value), 'must be one line, and not empty');

const valuesSchema = z
  .record(z.string(), oneLine, 'must be a map such as { host: 10.0.0.11, port: 5432 }')
  .superRefine((values, context) => {
    for (const key of Object.keys(values)) {
      const issue = (message: string) => context.addIssue({ code: 'custom', path: [key], message });
      if (!valueNames.test(key)) issue('must be a name of letters, digits and _');
      else if (routeFacts.includes(key))
        issue(`must have another name: each route has ${routeFacts.join(', ')} itself`);
    }
  });

/** Values of each replica, such as its host and port, by names of the operator's choice; they may be secrets. */
export const replicaValues: ValueType<Readonly<Record<string, Readonly<Record<string, string>>>>> = {
  label: 'map of maps',
  schema: z.record(
    nameSchema,
    valuesSchema,
    'must be a map such as { db1: { host: 10.0.0.11 }, db2: { host: 10.0.0.12 } }',
  ),
  suffix: '',
  fromText: (value) => parseYaml(value, { prettyErrors: false }),
  redact: (replicas) => `values of ${Object.keys(replicas).join(', ')}`,
};
