import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyNode } from '../../../../src/engines/mysql/key-division.ts';
import { nodesOf, placesOf } from '../../../../src/engines/mysql/key-places.ts';
import type { KeyValue, ValueType } from '../../../../src/engines/mysql/key-values.ts';
import { ToldKeySpace } from '../../../../src/engines/mysql/told-key-space.ts';

/** A division with these values as low ones and as greatest ones, at even places. */
const division = (
  ...stretches: readonly (readonly [prefix: readonly KeyValue[], low: KeyValue, towards: KeyValue])[]
) =>
  stretches.map(
    ([prefix, low, towards], at): KeyNode => ({
      ...{ prefix, low, towards },
      ...{ from: at / stretches.length, to: (at + 1) / stretches.length },
    }),
  );

/** As another copy gets it. */
function told(nodes: readonly KeyNode[], types: readonly ValueType[]): ToldKeySpace | undefined {
  const places = placesOf(nodes, types);
  const there = places && nodesOf(JSON.parse(JSON.stringify(places)), types);
  return there && new ToldKeySpace(there, types);
}

describe('places that one copy of an index tells another', () => {
  it('are the same keys there, and nothing is asked for them', async () => {
    const nodes = division([[], '0', '999'], [[], '50000', '99999']);
    const space = told(nodes, ['integer'])!;
    const bounds = await Promise.all([0, 0.25, 0.5, 0.75, 1].map((place) => space.boundAt(place)));
    expect(bounds).toEqual([[], ['499'], ['50000'], ['74999'], 'end']);
  });

  it('rise with the place, so that neighbouring stretches share their bound', async () => {
    const cut = fc.uniqueArray(fc.integer({ min: 1, max: 1e6 }), { minLength: 2, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(cut, fc.integer({ min: 2, max: 50 }), async (cuts, pieces) => {
        const sorted = cuts.sort((a, b) => a - b);
        const nodes = division(
          ...sorted.slice(1).map((high, at) => [[], String(sorted[at]), String(high - 1)] as const),
        );
        const space = told(nodes, ['integer'])!;
        let before = Number.NEGATIVE_INFINITY;
        for (let piece = 1; piece < pieces; piece++) {
          const bound = await space.boundAt(piece / pieces);
          expect(bound).not.toBe('end');
          expect(Number(bound[0])).toBeGreaterThanOrEqual(before);
          before = Number(bound[0]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('hold under a prefix, and for bytes', async () => {
    const composite = told(division([[], 1, 7], [[8], 100, 200]), ['integer', 'integer'])!;
    expect(await composite.boundAt(0.75)).toEqual([8, '150']);
    const low = Buffer.from('00aa', 'hex');
    const binary = told(division([[], low, Buffer.from('00ba', 'hex')]), ['binary'])!;
    expect((await binary.boundAt(0.5))[0]).toEqual(Buffer.from('00b2000000000000', 'hex').subarray(0, 7));
  });

  it('hold no more of a text than tells keys apart', () => {
    const places = placesOf(division([[], 'tok-0123456789abcdef', 'tok-f123456789abcdef']), ['text']);
    expect(places).toEqual([{ at: 0, prefix: [], low: 'tok-012345', towards: 'tok-f12345' }]);
  });

  it('are not told where collations may order the keys between two in another way', () => {
    expect(placesOf(division([[], 'Ärger', 'zulu']), ['text'])).toBeUndefined();
    expect(placesOf(division([[], 'a_b', 'a-c']), ['text'])).toBeUndefined();
    expect(placesOf(division([[], 'x', 'y']), ['opaque'])).toBeUndefined();
    expect(placesOf([], ['integer'])).toBeUndefined();
  });

  it('are refused where they do not fit the index here', () => {
    const places = placesOf(division([[8], 100, 200]), ['integer', 'integer'])!;
    expect(nodesOf(places, ['integer'])).toBeUndefined();
    expect(nodesOf(places, ['integer', 'binary'])).toBeUndefined();
    expect(nodesOf([], ['integer'])).toBeUndefined();
    expect(nodesOf([{ ...places[0]!, at: 0.5 }], ['integer', 'integer'])).toBeUndefined();
  });
});
