import { ForewarmError } from '../../lib/errors.ts';
import type { PostgresBinaries } from '../postgres-binaries.ts';
import type { PostgresClusterOptions, PostgresProvider } from '../postgres-cluster.ts';
import type { PostgresServer } from '../postgres-server.ts';
import { containerLab } from './lab-network.ts';
import { PostgresContainer, postgresImage } from './postgres-container.ts';

/** Servers in containers of PG_IMAGE, which decides on the version whatever the options say. */
export async function postgresInContainers({ owned }: PostgresClusterOptions): Promise<PostgresProvider> {
  const lab = await containerLab(owned);
  let binaries: PostgresBinaries | undefined;
  return {
    get binaries() {
      if (binaries === undefined) throw new Error('of an image nothing is known before it runs');
      return binaries;
    },
    async primary(settings, load) {
      const primary = await PostgresContainer.create({ owned, lab, name: 'primary', settings });
      await primary.start();
      binaries = await describe(primary);
      await primary.fill(load);
      return primary;
    },
    async standby(primary, name, settings) {
      const standby = await PostgresContainer.create({ owned, lab, name, settings, primary });
      await standby.start();
      return standby;
    },
    async separate(name) {
      throw new ForewarmError('lab_unavailable', `${name} is no primary and no standby: not made in containers`, {
        hint: 'Unset TEST_SERVERS.',
      });
    },
  };
}

async function describe(server: PostgresServer): Promise<PostgresBinaries> {
  const [row] = await server.query<{ version: string; number: number }>(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number`,
    [],
    { database: 'postgres' },
  );
  if (row === undefined) throw new Error('a server without a version');
  return {
    ...{ binDir: `in ${postgresImage()}`, env: {} },
    ...{ version: row.version.split(' ')[0] ?? '', major: Math.floor(row.number / 10_000) },
  };
}
