import { describeError } from '../lib/errors.ts';
import { wireVersion } from '../messages/names.ts';
import type { Estimate } from '../messages/requests.ts';
import { blockCount } from '../planning/block-ranges.ts';
import { askSource } from './ask-source.ts';
import { findSource } from './find-source.ts';
import type { AgentParts } from './migration-run.ts';
import { whyLagForbids } from './ready.ts';
import { assess } from './warming-round.ts';

const sourceTimeoutMs = 5_000;
/** An estimate may be that old: it is asked of many replicas at once. */
const maxAgeMs = 10_000;

/** Says how well this replica could take a VM, without changing anything. */
export interface Estimator {
  estimate(vm: string, source: string | undefined): Promise<Estimate>;
}

export function createEstimator({ config, broker, engine, device, share, watch }: AgentParts): Estimator {
  const refuse = (vm: string, reason: string): Estimate => ({
    v: wireVersion,
    replica: config.replica,
    vm,
    workSetBytes: 0,
    residentBytes: 0,
    toReadBytes: 0,
    skippedBytes: 0,
    seconds: 0,
    fits: false,
    reason,
  });

  return {
    async estimate(vm, named) {
      try {
        const source = named ?? (await findSource(broker, vm, { target: '' })); // '' is nobody: the source itself may be asked too
        const { workSet } = await askSource(
          broker,
          { source, vm, sharpen: false, maxAgeMs },
          sourceTimeoutMs,
        );
        const { plan, segments } = await assess(workSet, {
          engine,
          device,
          budget: (pool, needs) => share.probe(pool, needs),
          osCacheFraction: config.warm.osCacheFraction,
          goal: config.warm.goal,
          deadlineMs: () => null,
          osDone: new Map(),
        });
        await watch.look();
        const bytes = (blocks: number) => blocks * workSet.blockBytes;
        const wanted = workSet.relations.reduce((sum, { ranges }) => sum + blockCount(ranges), 0);
        const reason =
          source === config.replica
            ? 'is the source'
            : (whyLagForbids(watch, config.warm.maxLagMs) ?? undefined);
        return {
          v: wireVersion,
          replica: config.replica,
          vm,
          source,
          workSetBytes: bytes(wanted),
          residentBytes: bytes(plan.residentBlocks),
          toReadBytes: bytes(segments.reduce((sum, segment) => sum + segment.blocks, 0)),
          skippedBytes: bytes(plan.skippedBlocks),
          seconds: plan.totalMs / 1000,
          ...(watch.health === null || watch.health.lagMs === null ? {} : { lagMs: watch.health.lagMs }),
          fits: plan.skippedBlocks === 0 && plan.osBlocks === 0,
          ...(reason === undefined ? {} : { reason }),
        };
      } catch (error) {
        return refuse(vm, describeError(error).message);
      }
    },
  };
}
