import { describe, expect, it } from 'vitest';
import { HeatCarry, type RoundEnd } from '../../../src/agent/heat-carry.ts';
import type { Spans } from '../../../src/engines/engine.ts';
import { rangesOf } from '../../../src/planning/block-ranges.ts';
import { relationKey } from '../../../src/planning/work-set.ts';
import { toMap } from '../planning/arbitraries.ts';

const relation = { database: 'app', schema: 'public', name: 't', kind: 'table', fork: 'main' } as const;
const key = relationKey(relation);

function situation(verdict: 'blocks' | 'relation'): RoundEnd {
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
  } as unknown as RoundEnd;
}

/** Notes what is touched; the database itself is held to it by the contract of the engines. */
function noting(afterEach: () => void = () => {}) {
  const touched: number[][] = [];
  const raiseHeat = async (_: unknown, spans: Spans) => {
    touched.push([...spans]);
    afterEach();
  };
  return { touched, raiseHeat };
}

const never = new AbortController().signal;
const calm = { stop: never, rest: 0 };

describe('carrying heat over', () => {
  it("gives the source's heat to what was held or read, never lower than it was, and nothing to what is not here", async () => {
    const engine = noting();
    const carry = new HeatCarry(situation('blocks'), engine);
    await carry.goOn(never, calm);
    expect(engine.touched).toEqual([
      [2, 4],
      [1, 4],
      [1, 4],
    ]);
    expect([...toMap(carry.heats().get(key)!)]).toEqual([
      [0, 5],
      [1, 4],
      [2, 4],
      [3, 4],
    ]);
  });

  it('goes on where it was left off, and tells the heat as far as it has come', async () => {
    const over = new AbortController();
    const engine = noting(() => over.abort());
    const carry = new HeatCarry(situation('blocks'), engine);
    await carry.goOn(over.signal, calm);
    expect(engine.touched).toEqual([[2, 4]]);
    expect([...toMap(carry.heats().get(key)!)]).toEqual([
      [0, 5],
      [1, 2],
      [2, 2],
      [3, 2],
    ]);
    await carry.goOn(never, calm);
    expect(engine.touched).toHaveLength(3);
  });

  it('leaves what is known by name alone as it was, and as it was read', async () => {
    const engine = noting();
    const carry = new HeatCarry(situation('relation'), engine);
    await carry.goOn(never, calm);
    expect(engine.touched).toEqual([]);
    expect([...toMap(carry.heats().get(key)!)]).toEqual([
      [0, 5],
      [1, 2],
      [2, 1],
      [3, 1],
      [50, 3],
    ]);
  });
});
