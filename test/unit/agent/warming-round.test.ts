import { describe, expect, it } from 'vitest';
import { heatsLeft, type Situation } from '../../../src/agent/warming-round.ts';
import { rangesOf } from '../../../src/planning/block-ranges.ts';
import { relationKey } from '../../../src/planning/work-set.ts';
import { toMap } from '../planning/arbitraries.ts';

const relation = { database: 'app', schema: 'public', name: 't', kind: 'table', fork: 'main' } as const;
const key = relationKey(relation);

function situation(verdict: 'blocks' | 'relation'): Situation {
  const wanted = { ...relation, filenode: '1', sizeBlocks: 100, share: 1, ranges: rangesOf([[0, 6, 4]]) };
  return {
    matches: [{ wanted, verdict, local: relation }],
    pool: {
      resident: new Map([
        [
          key,
          rangesOf([
            [0, 1, 5],
            [1, 1, 2],
            [50, 1, 3],
          ]),
        ],
      ]),
    },
    segments: [{ key, tier: 'pool', ranges: rangesOf([[2, 2, 4]]) }],
  } as unknown as Situation;
}

describe('the heat that a round leaves', () => {
  it("is the source's for what was held or read, never lower than it was, and nothing for what is not here", () => {
    expect([...toMap(heatsLeft(situation('blocks')).get(key)!)]).toEqual([
      [0, 5],
      [1, 4],
      [2, 4],
      [3, 4],
    ]);
  });

  it('is what was there, and 1 for what was read, of a relation known by name alone', () => {
    expect([...toMap(heatsLeft(situation('relation')).get(key)!)]).toEqual([
      [0, 5],
      [1, 2],
      [2, 1],
      [3, 1],
      [50, 3],
    ]);
  });
});
