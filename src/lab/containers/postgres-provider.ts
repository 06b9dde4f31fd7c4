import { ForewarmError } from '../../lib/errors.ts';
import { describeVersion, knownSettings } from '../postgres-binaries.ts';
import type { PostgresClusterOptions, PostgresProvider } from '../postgres-cluster.ts';
import type { PostgresServer, PostgresSettings } from '../postgres-server.ts';
import { imageOutput } from './image-output.ts';
import { type ContainerLab, containerLab } from './lab-network.ts';
import { PostgresContainer, postgresImage } from './postgres-container.ts';

/** Servers in containers of PG_IMAGE, which decides on the version whatever the options say. */
export async function postgresInContainers({ owned }: PostgresClusterOptions): Promise<PostgresProvider> {
  const lab = await containerLab(owned);
  const binaries = await describeImage(lab);
  const create = (name: string, settings: PostgresSettings, primary?: PostgresServer) =>
    PostgresContainer.create({
      ...{ owned, lab, binaries, name, settings: knownSettings(settings, binaries.major) },
      ...(primary === undefined ? {} : { primary }),
    });
  return {
    binaries,
    async primary(settings, load) {
      const primary = await create('primary', settings);
      await primary.start();
      await primary.fill(load);
      return primary;
    },
    async standby(primary, name, settings) {
      const standby = await create(name, settings, primary);
      await standby.start();
      return standby;
    },
    async separate(name) {
      throw new ForewarmError(
        'lab_unavailable',
        `${name} is no primary and no standby: not made in containers`,
        {
          hint: 'Unset TEST_SERVERS.',
        },
      );
    },
  };
}

async function describeImage(lab: ContainerLab) {
  const image = postgresImage();
  const printed = await imageOutput({ lab, image, command: ['postgres', '--version'] });
  return { ...describeVersion(printed, image), binDir: `in ${image}`, env: {} };
}
