/** The size of one run. */
export interface CoordinationSettings {
  readonly replicas: number;
  /** Over all replicas; each VM reads at one of them. */
  readonly vms: number;
  readonly intents: number;
  /** In which the intents are published, evenly. */
  readonly overMs: number;
  /** Processes that the agents live in; a third of them is killed. */
  readonly processes: number;
  readonly seed: number;
  /** How long after ready a VM arrives: its own move. */
  readonly moveMs: number;
  /** Blocks of 8 KiB and ranges of each VM's work set. */
  readonly workSet: { readonly blocks: number; readonly ranges: number };
  /** Relations in each VM's profile. */
  readonly relations: number;
  /** How long the agents are watched while nothing moves. */
  readonly idleMs: number;
}

export const fullSettings: Omit<CoordinationSettings, 'seed'> = {
  replicas: 1_000,
  vms: 10_000,
  intents: 1_000,
  overMs: 10_000,
  processes: 3,
  moveMs: 2_000,
  workSet: { blocks: 1_000, ranges: 64 },
  relations: 20,
  idleMs: 20_000,
};

export const quickSettings: Omit<CoordinationSettings, 'seed'> = {
  ...fullSettings,
  replicas: 100,
  vms: 1_000,
  intents: 100,
  overMs: 4_000,
  processes: 3,
  idleMs: 12_000,
};

export const replicaName = (index: number): string => `db${index}`;
export const vmName = (index: number): string => `app${index}`;

/** The VMs of one replica. */
export function vmsOf(replica: number, { replicas, vms }: Pick<CoordinationSettings, 'replicas' | 'vms'>) {
  const found: string[] = [];
  for (let vm = replica; vm < vms; vm += replicas) found.push(vmName(vm));
  return found;
}

/** The replicas of one process; those that are killed together. */
export function replicasOf(process: number, settings: Pick<CoordinationSettings, 'replicas' | 'processes'>) {
  const found: number[] = [];
  for (let replica = process; replica < settings.replicas; replica += settings.processes) found.push(replica);
  return found;
}

/** How many processes a third is; one at least. */
export function killedProcesses({ processes }: Pick<CoordinationSettings, 'processes'>): number {
  return Math.max(1, Math.round(processes / 3));
}
