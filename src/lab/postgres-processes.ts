import { freePort } from './free-port.ts';
import { knownSettings, locatePostgres } from './postgres-binaries.ts';
import type { PostgresClusterOptions, PostgresProvider } from './postgres-cluster.ts';
import { PostgresServer, type PostgresSettings } from './postgres-server.ts';
import { createStandby } from './postgres-standby.ts';

/** What loads a primary fast; taken back before anything is copied from it. */
const loading: PostgresSettings = {
  wal_level: 'minimal',
  max_wal_senders: 0,
  autovacuum: false,
  max_wal_size: '256MB',
  maintenance_work_mem: '256MB',
};

/** Servers as processes of this machine. */
export async function postgresInProcesses(options: PostgresClusterOptions): Promise<PostgresProvider> {
  const { owned } = options;
  const binaries = await locatePostgres(options);
  const separate = async (name: string, settings: PostgresSettings) =>
    new PostgresServer({
      ...{ owned, binaries, name, port: await freePort() },
      settings: knownSettings(settings, binaries.major),
    });
  return {
    binaries,
    separate,
    async primary(settings, load) {
      const primary = await separate('primary', settings);
      await primary.initialize();
      if (load !== undefined) await primary.configure(loading);
      await primary.start();
      await primary.fill(load);
      if (load !== undefined) {
        await primary.configure(
          Object.fromEntries(Object.keys(loading).map((name) => [name, settings[name]])),
        );
        await primary.restart();
      }
      return primary;
    },
    async standby(primary, name, settings) {
      const standby = await separate(name, settings);
      await createStandby(primary, standby);
      return standby;
    },
  };
}
