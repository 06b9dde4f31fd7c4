import type { RelationRef } from '../planning/work-set.ts';

export interface RelationShape extends RelationRef {
  readonly filenode: string;
  readonly share: number;
  readonly blocks: number;
}

/** Relations as a large application's pool has them: the largest holds a fifth, the sizes fall off. */
export function shapesOf(totalBlocks: number, count = 40): RelationShape[] {
  const weights = Array.from({ length: count }, (_, i) => 1 / (i + 1));
  const sum = weights.reduce((a, b) => a + b, 0);
  let left = totalBlocks;
  return weights.map((weight, i) => {
    const blocks = i === count - 1 ? left : Math.floor((totalBlocks * weight) / sum);
    left -= blocks;
    const table = `t${Math.floor(i / 2)}`;
    return {
      ...{ database: 'app', schema: 'public', name: i % 2 === 0 ? table : `${table}_pkey` },
      ...(i % 2 === 0 ? { kind: 'table' as const } : { kind: 'index' as const, parent: `public.${table}` }),
      ...{ filenode: `1663/16384/${20_000 + i}`, share: weight / sum, blocks },
    };
  });
}

/** Heats as the source's server sends them, a digit a block: none repeats, and every run has the same. */
export interface ResidencyRows {
  /** The next row: blocks between two gaps, at most `most`, and the gap behind them. */
  next(most: number): { readonly heats: string; readonly gapBlocks: number };
}

/** Equal heat comes in runs of geometric length; a row has eight of them on average. */
export function residencyRows(totalBlocks: number, meanRunBlocks: number): ResidencyRows {
  const random = xorshift(0x9e3779b9);
  const digits = Buffer.alloc(totalBlocks);
  for (let at = 0; at < totalBlocks; ) {
    const run = 1 + Math.floor(Math.log(1 - random()) / Math.log(1 - 1 / meanRunBlocks));
    const heat = '1123455500112345'.charCodeAt(Math.floor(random() * 16));
    digits.fill(heat, at, Math.min(totalBlocks, at + run));
    at += run;
  }
  const all = digits.toString('latin1');
  let at = 0;
  return {
    next(most) {
      const blocks = Math.min(most, 1 + Math.floor(-Math.log(1 - random()) * meanRunBlocks * 8));
      const heats = all.slice(at, at + blocks);
      at += heats.length;
      return { heats, gapBlocks: 1 + Math.floor(-Math.log(1 - random()) * 20) };
    },
  };
}

function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
