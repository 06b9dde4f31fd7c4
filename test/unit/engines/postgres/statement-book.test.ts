import { beforeEach, describe, expect, it } from 'vitest';
import type { Explainer, Explanation } from '../../../../src/engines/postgres/explanations.ts';
import { Catalog } from '../../../../src/engines/postgres/relation-stats.ts';
import type { SearchPathSettings } from '../../../../src/engines/postgres/search-paths.ts';
import type { SessionEvidence } from '../../../../src/engines/postgres/sessions.ts';
import { StatementBook } from '../../../../src/engines/postgres/statement-book.ts';
import type { StatementCounters } from '../../../../src/engines/postgres/statements.ts';

const statement = { user: 'app', database: 'shop', queryId: '1' };
const entry = { statement, vm: 'app1', aged: 10, pending: 10 };
const refused = (passing: boolean): Explanation => ({
  resolutions: [],
  schemas: new Set(),
  refusal: 'EXPLAIN: canceled',
  passing,
});

/** The server is not asked here; how often it would be is. */
describe('a statement that the planner refused', () => {
  let nowMs: number;
  let asked: number;
  let answer: Explanation;
  let book: StatementBook;

  const counters: Pick<StatementCounters, 'texts'> = {
    texts: async () => [{ ...statement, text: 'SELECT 1 FROM orders' }],
  };
  const evidence: Partial<SessionEvidence> = {
    paths: () => [],
    example: () => undefined,
    locks: () => ({ looks: 0, byOid: new Map() }),
    want: () => undefined,
  };
  const settings: Pick<SearchPathSettings, 'of'> = { of: async () => [] };
  const explainer: Pick<Explainer, 'explain'> = {
    explain: async () => {
      asked++;
      return answer;
    },
  };

  const collectAt = async (ms: number) => {
    nowMs = ms;
    const known = { catalog: new Catalog([]), columns: new Map() };
    await book.explainAll(explainer as Explainer, 'shop', [entry], known);
  };

  beforeEach(async () => {
    nowMs = 0;
    asked = 0;
    book = new StatementBook({
      counters: counters as StatementCounters,
      evidence: evidence as SessionEvidence,
      settings: settings as SearchPathSettings,
      nowMs: () => nowMs,
    });
    await book.learnTexts([statement]);
  });

  it('is asked about again a minute later', async () => {
    answer = refused(false);
    for (const ms of [0, 2_000, 30_000, 59_000, 61_000]) await collectAt(ms);
    expect(asked).toBe(2);
  });

  it('is asked about again soon, where a lock or a busy server stood in the way, and ever less often', async () => {
    answer = refused(true);
    for (let ms = 0; ms < 60_000; ms += 1_000) await collectAt(ms);
    expect(asked).toBeGreaterThan(3);
    expect(asked).toBeLessThan(9);
    await collectAt(200_000);
    answer = refused(false);
    await collectAt(300_000);
    const before = asked;
    await collectAt(301_000);
    expect(asked).toBe(before);
  });
});
