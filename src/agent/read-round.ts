import { emptyRanges, union } from '../planning/block-ranges.ts';
import { estimateMs } from '../planning/cost-model.ts';
import { withHeat } from '../planning/range-cuts.ts';
import type { SourceAnswer } from './ask-source.ts';
import type { MigrationRun } from './migration-run.ts';
import type { NearEnd } from './near-end.ts';
import { readPlan } from './read-plan.ts';
import type { ReadingFigures } from './reading-figures.ts';
import type { Place } from './target-share.ts';
import type { RoundContext, Situation } from './warming-round.ts';

/** One round of a migration: what was measured, and by what it is read. */
export interface Round {
  readonly situation: Situation;
  readonly context: RoundContext;
  readonly figures: ReadingFigures;
  readonly place: Place;
  readonly nearEnd: NearEnd;
}

/** Reads what the plan has left. False when that was not all read, for other migrations came in between or `stop` aborted. */
export async function readRound(
  run: MigrationRun,
  { workSet: { blockBytes } }: SourceAnswer,
  round: Round,
  stop: AbortSignal,
): Promise<boolean> {
  const { config, engine, device, watch, trial, metrics } = run.parts;
  const { situation, context, figures, place, nearEnd } = round;
  figures.startRound(situation, blockBytes);
  metrics.round(run.record.vm);
  const endWarming = watch.warming();
  const markArrival = () => place.arrive();
  run.arrived.addEventListener('abort', markArrival, { once: true });
  if (run.arrived.aborted) markArrival();
  try {
    const complete = await readPlan(
      situation.segments,
      {
        ...{ engine, device, watch, trial, place, blockBytes },
        stepBytes: config.warm.chunkBytes,
        connections: config.warm.connections,
        residentsFraction: config.warm.residentsDiskFraction,
        maxLagMs: config.warm.maxLagMs,
        deadlineMs: context.deadlineMs(),
        arrived: () => run.arrived.aborted,
        onStep: (report) => {
          metrics.step(run.record.vm, report);
          if (figures.step(report)) run.progress(figures.progress);
          const { done, total } = figures.ofPool;
          nearEnd.step(figures.ofPool, estimateMs(device.model, 0, (total - done) * blockBytes));
        },
      },
      stop,
    );
    if (!complete) return false;
    for (const { key, tier, ranges } of situation.segments) {
      if (tier === 'os')
        context.osDone.set(key, union(context.osDone.get(key) ?? emptyRanges, withHeat(ranges, 0)));
    }
    return true;
  } finally {
    endWarming();
    run.arrived.removeEventListener('abort', markArrival);
    const ms = figures.endRound();
    const { blocks, bytesRead, rounds } = figures.warmed;
    // In the hold there is one every few seconds.
    const level = run.record.readyAt === undefined ? 'info' : 'debug';
    run.logger[level]({ round: rounds, ms, blocks, bytesRead }, 'a round of reading has ended');
    const { operationMs, byteMs } = device.model;
    run.update({
      warmed: figures.warmed,
      device: { operationMs, bytesPerSecond: Math.round(1000 / byteMs) },
    });
    run.progress(figures.progress);
  }
}
