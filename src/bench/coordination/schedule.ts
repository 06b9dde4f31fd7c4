import { seededRandom } from '../../lab/load-pattern.ts';
import { type CoordinationSettings, replicaName, vmName } from './settings.ts';

/** One intent to come. */
export interface PlannedIntent {
  readonly id: string;
  readonly vm: string;
  readonly source: string;
  readonly target: string;
  /** From the begin of the round. */
  readonly atMs: number;
}

/** The rounds of a run take VMs that no other round takes. */
export type RoundName = 'steady' | 'killed';
const roundIndex: Readonly<Record<RoundName, number>> = { steady: 0, killed: 1 };

/**
 * Which VM moves where and when: each at most once in all rounds, from the replica that it reads to another
 * one, evenly over the time. The same for the same seed. Throws where there are fewer VMs than moves.
 */
export function planIntents(settings: CoordinationSettings, round: RoundName): readonly PlannedIntent[] {
  const { replicas, vms, intents, overMs, seed } = settings;
  const rounds = Object.keys(roundIndex).length;
  if (vms < intents * rounds || replicas < 2)
    throw new RangeError(`${intents} moves a round need ${intents * rounds} VMs and two replicas`);
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const order = Array.from({ length: vms }, (_, index) => index);
  for (let index = vms - 1; index > 0; index--) {
    const other = below(index + 1);
    [order[index], order[other]] = [order[other]!, order[index]!];
  }
  // Never the VM's own: it reads at `vm % replicas`.
  const targets = order.map((vm) => (vm + 1 + below(replicas - 1)) % replicas);
  const first = roundIndex[round] * intents;
  return Array.from({ length: intents }, (_, i) => {
    const vm = order[first + i]!;
    return {
      id: `${round}-${i}`,
      vm: vmName(vm),
      source: replicaName(vm % replicas),
      target: replicaName(targets[first + i]!),
      atMs: (overMs * i) / intents,
    };
  });
}
