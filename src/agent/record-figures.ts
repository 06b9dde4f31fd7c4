import type { MigrationRecord } from '../messages/record.ts';
import { blockCount } from '../planning/block-ranges.ts';
import { atLeast } from '../planning/range-cuts.ts';
import type { WorkSet } from '../planning/work-set.ts';
import type { SourceAnswer } from './ask-source.ts';
import type { MigrationRun } from './migration-run.ts';
import type { Situation } from './warming-round.ts';

/** The record's figures of what the source told. */
function describeWorkSet({ workSet, origin }: SourceAnswer): Pick<MigrationRecord, 'workSet'> {
  let blocks = 0;
  let osBlocks = 0;
  for (const { ranges } of workSet.relations) {
    const pool = blockCount(atLeast(ranges, 1));
    blocks += pool;
    osBlocks += blockCount(ranges) - pool;
  }
  return {
    workSet: {
      relations: countRelations(workSet),
      blocks,
      bytes: blocks * workSet.blockBytes,
      osBlocks,
      secondTier: workSet.secondTier,
      ...(workSet.secondTierBytesEstimate === undefined
        ? {}
        : { secondTierBytesEstimate: workSet.secondTierBytesEstimate }),
      origin,
      takenAt: workSet.takenAt,
    },
  };
}

function countRelations(workSet: WorkSet): number {
  return new Set(
    workSet.relations
      .filter(({ catalog }) => catalog !== true)
      .map(({ database, schema, name }) => JSON.stringify([database, schema, name])),
  ).size;
}

/** The record's figures of a plan, as measured before it was carried out. */
function describePlan(
  { plan, budget }: Situation,
  blockBytes: number,
): Pick<MigrationRecord, 'plan' | 'strategy' | 'strategyReason' | 'relations'> {
  return {
    strategy: plan.strategy,
    strategyReason: plan.strategyReason,
    plan: {
      blocks: plan.plannedBlocks,
      bytes: plan.plannedBlocks * blockBytes,
      residentBlocks: plan.residentBlocks,
      osBlocks: plan.osBlocks,
      skippedBlocks: plan.skippedBlocks,
      ...(plan.skippedReason === undefined
        ? {}
        : { skippedReason: plan.skippedReason, skipped: plan.skipped }),
      budgetBlocks: budget.blocks,
      budgetReason: budget.reason,
      order: plan.orderReason,
    },
    relations: plan.perRelation.map((relation) => ({
      database: relation.database,
      schema: relation.schema,
      name: relation.name,
      fork: relation.fork,
      strategy: relation.strategy,
      blocks: relation.blocks + relation.osBlocks,
      residentBlocks: relation.residentBlocks,
      skippedBlocks: relation.skippedBlocks,
      ...(relation.how === undefined ? {} : { how: relation.how }),
      ...(relation.reason === undefined ? {} : { reason: relation.reason }),
    })),
  };
}

function tellPlan(run: MigrationRun, answer: SourceAnswer, { plan, residency }: Situation): void {
  const { plannedBlocks, residentBlocks, osBlocks, skippedBlocks, skippedReason, strategy } = plan;
  const figures = {
    plannedBlocks,
    residentBlocks,
    osBlocks,
    skippedBlocks,
    skippedReason,
    strategy,
    residency,
  };
  const { source } = run.record;
  if (answer.reason !== undefined)
    run.logger.warn(
      { source, reason: answer.reason },
      "no work set of the source's agent; its last profile serves",
    );
  run.logger.info({ source, origin: answer.origin, ...figures }, 'the warming is planned');
}

/** A share, 0 to 1, to a hundredth of a percent. */
export function asRecorded(share: number): number {
  return Math.round(share * 10_000) / 10_000;
}

/** Writes what a round measured and plans into the record. */
export function recordRound(run: MigrationRun, answer: SourceAnswer, situation: Situation): void {
  const { watch } = run.parts;
  const { plan, state, workSet } = run.record;
  const first = plan === undefined || state === 'warming';
  // The source is back: what was planned by its profile is planned anew.
  const back = workSet?.origin === 'profile' && answer.origin === 'agent';
  if (plan === undefined || back) tellPlan(run, answer, situation);
  run.update({
    ...describeWorkSet(answer),
    // The plan that a reader wants to see is the one that made it ready, not the hold's small ones.
    ...(first && situation.segments.length > 0 ? describePlan(situation, answer.workSet.blockBytes) : {}),
    ...(plan === undefined || back ? describePlan(situation, answer.workSet.blockBytes) : {}),
    residency: asRecorded(situation.residency),
    means: watch.identity?.means ?? 'unknown',
    ...(watch.health?.lagMs == null ? {} : { lagMs: watch.health.lagMs }),
    ...(back ? { reason: `the agent of ${run.record.source} answers again` } : {}),
    ...(answer.reason === undefined ? {} : { reason: answer.reason }),
  });
}
