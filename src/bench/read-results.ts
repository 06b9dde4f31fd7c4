import { z } from 'zod';
import { ForewarmError } from '../lib/errors.ts';

const figureSchema = z.looseObject({
  of: z.string(),
  name: z.string(),
  unit: z.enum(['ms', 'bytes', 'operations', 'per second', 'share', 'ratio', 'count']),
  better: z.enum(['less', 'more']),
  statistic: z.enum(['median', 'p99']).optional(),
  // JSON has no NaN: what could not be measured is null.
  values: z.array(z.number().nullable()),
});

/** What a comparison reads of results.json. */
const resultsSchema = z.looseObject({
  suite: z.string(),
  at: z.string(),
  incomplete: z.looseObject({ reason: z.string() }).optional(),
  options: z.record(z.string(), z.unknown()),
  versions: z.record(z.string(), z.string()),
  settings: z.unknown(),
  figures: z.array(figureSchema),
});
export type ComparableResults = z.infer<typeof resultsSchema>;

/**
 * Reads the text of a results.json. Throws `config_invalid`, naming the file and the place in it, where it is none,
 * or of a run that did not come to its end.
 */
export function parseResults(text: string, file: string): ComparableResults {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const hint = /^\s*</.test(text)
      ? 'Give results.json, not the report beside it.'
      : hintFor(undefined, 'It may have been cut short.');
    throw new ForewarmError('config_invalid', `${file} is not JSON: ${(cause as Error).message}`, {
      ...{ hint, cause },
    });
  }
  const parsed = resultsSchema.safeParse(value);
  if (!parsed.success) throw unfit(value, { file, issues: parsed.error.issues });
  const { suite, incomplete } = parsed.data;
  if (incomplete === undefined) return parsed.data;
  throw new ForewarmError(
    'config_invalid',
    `${file} is of a run that did not come to its end (${incomplete.reason}), and cannot be compared`,
    { hint: hintFor(suite) },
  );
}

type Issue = z.core.$ZodIssue;

function unfit(value: unknown, of: { readonly file: string; readonly issues: readonly Issue[] }): Error {
  const { file, issues } = of;
  const suite = fieldOf(value, 'suite');
  const version = fieldOf(fieldOf(value, 'versions'), 'forewarm');
  const known = typeof suite === 'string' ? suite : undefined;
  const by = typeof version === 'string' ? ` (written by Forewarm ${version})` : '';
  const [first, ...others] = issues;
  const more = others.length === 0 ? '' : `, and ${others.length} more places are wrong`;
  const what = first === undefined ? '' : `: ${describeIssue(value, first)}`;
  return new ForewarmError(
    'config_invalid',
    `${file} is no results.json of this version's benchmarks${by}${what}${more}`,
    { hint: hintFor(known, 'Results of an older version must be measured again.') },
  );
}

function hintFor(suite: string | undefined, more = ''): string {
  const run = `Give the results.json that \`npm run bench -- ${suite ?? 'SUITE'} --out DIR\` writes.`;
  return more === '' ? run : `${run} ${more}`;
}

/** `figures[2].unit is "s", not one of ms, bytes`. */
function describeIssue(value: unknown, issue: Issue): string {
  const found = issue.path.reduce<unknown>((inside, key) => fieldOf(inside, key), value);
  const place = issue.path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
  const wanted = wantedBy(issue);
  if (place === '') return `it holds ${show(found)}, not ${wanted}`;
  return found === undefined ? `${place} is missing` : `${place} is ${show(found)}, not ${wanted}`;
}

const typeNames: Readonly<Record<string, string>> = {
  ...{ string: 'a text', number: 'a number', array: 'a list', object: 'an object', record: 'an object' },
};

function wantedBy(issue: Issue): string {
  if (issue.code === 'invalid_type') return typeNames[issue.expected] ?? issue.expected;
  return issue.code === 'invalid_value' ? `one of ${issue.values.join(', ')}` : 'what belongs there';
}

function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function fieldOf(value: unknown, key: PropertyKey): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<PropertyKey, unknown>)[key];
}
