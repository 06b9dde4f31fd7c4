import { type BlockRanges, combine, maxHeat } from './block-ranges.ts';
import type { FlatSpans } from './extents.ts';
import { spansOf } from './range-cuts.ts';

/** While a statement touches blocks it holds a processor, which others on the server have to wait for. */
const statement = { spans: 256, blocks: 8_192 };

/** One statement's worth of touching: every block of `spans` rises by one, to `heat`. */
export interface HeatTouch {
  readonly heat: number;
  readonly spans: FlatSpans;
  readonly blocks: number;
}

/**
 * The touches that give resident blocks the source's heat: pass by pass from 2 to 5, in each those
 * that stand below it and belong at or above it, so that every block is touched only as often as it
 * lacks. Blocks that the pool does not hold are left out: touching would read them. Heat is never lowered.
 * `resident` has the heats as they are at the target (a block just read stands at 1).
 */
export function* heatPasses(
  source: BlockRanges,
  resident: BlockRanges,
  limits: { readonly spans: number; readonly blocks: number } = statement,
): Generator<HeatTouch> {
  for (let heat = 2; heat <= maxHeat; heat++) {
    const pass = combine(source, resident, (wanted, now) =>
      now >= 1 && now < heat && wanted >= heat ? heat : -1,
    );
    let spans: number[] = [];
    let blocks = 0;
    for (const span of spansOf(pass)) {
      for (let start = span.start; start < span.end; ) {
        const end = Math.min(span.end, start + limits.blocks - blocks);
        spans.push(start, end);
        blocks += end - start;
        start = end;
        if (spans.length < 2 * limits.spans && blocks < limits.blocks) continue;
        yield { heat, spans, blocks };
        spans = [];
        blocks = 0;
      }
    }
    if (blocks > 0) yield { heat, spans, blocks };
  }
}
