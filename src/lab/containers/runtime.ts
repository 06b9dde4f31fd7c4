import type { ContainerRuntimeClient } from 'testcontainers';
import { ForewarmError } from '../../lib/errors.ts';
import { retry } from '../../lib/retry.ts';

/** On everything that the lab makes at a container runtime; its value is the lab's own name. */
export const labLabel = 'forewarm.lab';

type Testcontainers = typeof import('testcontainers');

/** testcontainers, which only the container tests need. Ryuk is off: the lab's guard removes what has its label. */
export async function loadTestcontainers(): Promise<Testcontainers> {
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
  // Everything is published there; the library's own guess needs Docker's default network.
  process.env['TESTCONTAINERS_HOST_OVERRIDE'] ??= '127.0.0.1';
  return import('testcontainers').catch((error: unknown) => {
    throw new ForewarmError('lab_unavailable', 'testcontainers is not installed', {
      hint: 'Run `npm ci` in the checkout; it is a development dependency.',
      cause: error,
    });
  });
}

/** The container runtime that DOCKER_HOST or a usual socket leads to. */
export async function containerRuntime(): Promise<ContainerRuntimeClient> {
  const { getContainerRuntimeClient } = await loadTestcontainers();
  return getContainerRuntimeClient().catch((error: unknown) => {
    throw new ForewarmError('lab_unavailable', 'no container runtime answers', {
      hint: 'Start Docker, or name its socket by DOCKER_HOST.',
      cause: error,
    });
  });
}

/** Removes the containers that have a label (`name=value`), then the networks, volumes and images; also one that is only being made. */
export async function removeLabelled(label: string): Promise<void> {
  const { dockerode } = (await containerRuntime()).container;
  const filters = { label: [label] };
  const remove = async () => {
    const containers = await dockerode.listContainers({ all: true, filters });
    await Promise.all(
      containers.map(({ Id }) => dockerode.getContainer(Id).remove({ force: true, v: true })),
    );
    const networks = await dockerode.listNetworks({ filters });
    await Promise.all(networks.map(({ Id }) => dockerode.getNetwork(Id).remove()));
    const { Volumes } = await dockerode.listVolumes({ filters });
    await Promise.all(Volumes.map(({ Name }) => dockerode.getVolume(Name).remove()));
    const images = await dockerode.listImages({ filters });
    await Promise.all(images.map(({ Id }) => dockerode.getImage(Id).remove({ force: true })));
  };
  await retry(remove, { attempts: 20, firstDelayMs: 100, maxDelayMs: 1_000 });
}
