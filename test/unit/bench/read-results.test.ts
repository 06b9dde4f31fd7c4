import { describe, expect, it } from 'vitest';
import { parseResults } from '../../../src/bench/read-results.ts';
import { ForewarmError } from '../../../src/lib/errors.ts';

const figure = { of: '', name: 'ready', unit: 'ms', better: 'less', values: [1, null] };
const whole = {
  ...{ suite: 'rivals', at: '2026-01-01T00:00:00Z', options: {}, settings: {} },
  ...{ versions: { forewarm: '0.0.9' }, figures: [figure] },
};

function refusal(text: string): { readonly message: string; readonly hint: string | undefined } {
  try {
    parseResults(text, 'old.json');
  } catch (error) {
    if (error instanceof ForewarmError && error.code === 'config_invalid') return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a results.json', () => {
  it('is taken as it is, with what is not known here', () => {
    expect(parseResults(JSON.stringify({ ...whole, runs: [] }), 'r.json')).toEqual({ ...whole, runs: [] });
  });

  it.each([
    ['a file that is cut short', '{"suite":', /^old\.json is not JSON: /, /cut short/],
    ['the report', '<!doctype html>', /^old\.json is not JSON: /, /not the report/],
    [
      'another document',
      '[1]',
      /^old\.json is no results\.json of this version's benchmarks: it holds \[1\], not an object$/,
      /bench -- SUITE --out DIR/,
    ],
    [
      'a document without figures',
      JSON.stringify({ ...whole, figures: undefined }),
      /benchmarks \(written by Forewarm 0\.0\.9\): figures is missing$/,
      /bench -- rivals --out DIR` writes\. Results of an older version must be measured again\./,
    ],
    [
      'an unknown unit in one place',
      JSON.stringify({ ...whole, figures: [figure, { ...figure, unit: 'seconds' }] }),
      /: figures\[1\]\.unit is "seconds", not one of ms, bytes, /,
      /measured again/,
    ],
    [
      'several faults',
      JSON.stringify({ ...whole, at: 5, figures: [{ ...figure, values: 'x'.repeat(99) }, {}] }),
      /: at is 5, not a text, and 6 more places are wrong$/,
      /measured again/,
    ],
    [
      'a run that did not end',
      JSON.stringify({ ...whole, incomplete: { reason: 'ended by SIGINT' } }),
      /^old\.json is of a run that did not come to its end \(ended by SIGINT\), and cannot be compared$/,
      /bench -- rivals --out DIR/,
    ],
  ])('is refused in one sentence with what to do: %s', (_, text, message, hint) => {
    const refused = refusal(text);
    expect(refused.message).toMatch(message);
    expect(refused.message).not.toMatch(/✖|→|\n/);
    expect(refused.hint).toMatch(hint);
  });
});
