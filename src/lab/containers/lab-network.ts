import { randomUUID } from 'node:crypto';
import type { OwnedProcesses } from '../owned-processes.ts';
import { containerRuntime, labLabel } from './runtime.ts';

/** What the containers of one lab share. */
export interface ContainerLab {
  /** Value of the label on all that is made. */
  readonly name: string;
  /** Containers reach each other by their aliases there. */
  readonly network: string;
  /** True while and after it is taken down. */
  isOver(): boolean;
}

const labs = new WeakMap<OwnedProcesses, Promise<ContainerLab>>();

/** The lab of these owned things; made, with a network of its own, when it is asked for first. */
export function containerLab(owned: OwnedProcesses): Promise<ContainerLab> {
  const known = labs.get(owned);
  if (known !== undefined) return known;
  const made = makeLab(owned);
  labs.set(owned, made);
  return made;
}

async function makeLab(owned: OwnedProcesses): Promise<ContainerLab> {
  const { dockerode } = (await containerRuntime()).container;
  const name = `forewarm-${randomUUID().slice(0, 8)}`;
  // Before there is anything to remove: a crash in between must leave nothing.
  owned.ownContainers(`${labLabel}=${name}`);
  await dockerode.createNetwork({ Name: name, Driver: 'bridge', Labels: { [labLabel]: name } });
  return { name, network: name, isOver: () => owned.isOver };
}
