import { routeFacts } from '../../config/value-types.ts';
import { ForewarmError } from '../../lib/errors.ts';
import type { ReplicaValues, RouteFacts } from './output.ts';

type Piece = { readonly text: string } | { readonly name: string };

const escapes: Readonly<Record<string, string>> = {
  '\\n': '\n',
  '\\t': '\t',
  '\\\\': '\\',
  '{{': '{',
  '}}': '}',
};

/**
 * A text with placeholders: `{replica}`, `{host}`; `{{` and `}}` are braces, `\n`, `\t` and `\\` as usual. What it
 * renders ends with a new line.
 */
export class Template {
  readonly #pieces: readonly Piece[];

  /** Throws `config_invalid` at a brace that opens or closes nothing. */
  constructor(text: string) {
    const pieces: Piece[] = [];
    const pattern = /\{\{|\}\}|\\[nt\\]|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]|(?:[^{}\\]|\\(?![nt\\]))+/g;
    for (const [token, name] of text.matchAll(pattern)) {
      if (token === '{' || token === '}') {
        throw new ForewarmError('config_invalid', `--template: a lone ${token} in ${JSON.stringify(text)}`, {
          hint: 'Placeholders are such as {replica}; write {{ and }} for braces.',
        });
      }
      pieces.push(name === undefined ? { text: escapes[token] ?? token } : { name });
    }
    this.#pieces = pieces;
  }

  /** Throws `config_invalid` where a placeholder has no value for one of the replicas, or is known nowhere. */
  check(replicas: ReplicaValues): void {
    const wanted = this.#pieces.flatMap((piece) => ('name' in piece ? [piece.name] : []));
    for (const name of wanted.filter((one) => !routeFacts.includes(one))) {
      const lacking = Object.entries(replicas).filter(([, values]) => !(name in values));
      if (Object.keys(replicas).length > 0 && lacking.length === 0) continue;
      const who = lacking.map(([replica]) => replica).join(', ') || 'any replica';
      throw new ForewarmError('config_invalid', `--template: {${name}} has no value for ${who}`, {
        hint: `Every route has ${routeFacts.join(', ')}; others are given as replicas: { db1: { ${name}: … } } in the file, or by --replicas.`,
      });
    }
  }

  /** Throws `output_failed` where a placeholder has no value. */
  render(facts: RouteFacts): string {
    const text = this.#pieces
      .map((piece) => ('name' in piece ? valueIn(facts, piece.name) : piece.text))
      .join('');
    return text.endsWith('\n') ? text : `${text}\n`;
  }
}

function valueIn(facts: RouteFacts, name: string): string {
  const value = facts.get(name);
  if (value !== undefined) return value;
  const replica = facts.get('replica');
  throw new ForewarmError('output_failed', `replica ${replica} has no value ${name}`, {
    hint: `Add replicas.${replica}.${name} to the configuration and start again.`,
  });
}
