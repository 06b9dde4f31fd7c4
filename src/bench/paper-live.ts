import { postgresOf } from '../lab/experiment/postgres-database.ts';
import { replicas, type Site, type VmLoad } from '../lab/experiment/site.ts';
import { GuestFleet, seenByGuests } from '../lab/live/guest-fleet.ts';
import { moveAlone, moveWithForewarm } from '../lab/live/guest-moves.ts';
import { type Fleet, knownAtSource } from './paper-fleet.ts';

/** Guests that reach both replicas. */
export function guestsBeside(site: Site): Promise<GuestFleet> {
  const servers = Object.values(replicas).map((replica) => postgresOf(site.database.server(replica)));
  return GuestFleet.start(site.options.owned, servers);
}

/** VMs that are guests: QEMU migrates them while they read, with Forewarm by `forewarm migrate --qmp`. */
export async function startGuests(site: Site, fleet: GuestFleet, loads: readonly VmLoad[]): Promise<Fleet> {
  const configs = loads.map((load) => {
    const config = site.configOf(site.source, load);
    return { ...config, dsn: seenByGuests(config.dsn) };
  });
  const guests = await fleet.boot(configs);
  const { target } = replicas;
  const { owned } = site.options;
  return {
    vms: guests.map(({ app }) => app),
    dsnOf: (replica) => seenByGuests(site.database.server(replica).url),
    async move(routes, { warm }) {
      if (warm) for (const { vm } of guests) await knownAtSource(site, vm);
      const beginMs = Date.now();
      const ids = guests.map(({ vm }) => `${vm}-${beginMs}`);
      const env = { FOREWARM_NATS_URL: site.natsUrl };
      const switched = await Promise.all(
        guests.map((guest, i) => {
          const move = async () => {
            if (warm) return await moveWithForewarm(guest, { owned, target, env, id: ids[i]! });
            await moveAlone(guest);
            await site.broker.routes.set(guest.vm, { replica: target });
          };
          return routes[i]!.through(move, { replica: target });
        }),
      );
      const downtimesMs = await Promise.all(guests.map((guest) => guest.downtimeMs()));
      if (!warm) return { beginMs, switched, downtimesMs, migrations: [] };
      const records = await Promise.all(ids.map(async (id) => (await site.broker.records.get(id))?.value));
      const times = (key: 'acceptedAt' | 'readyAt') =>
        records.flatMap((record) => (record?.[key] === undefined ? [] : [Date.parse(record[key])]));
      const readyAt = times('readyAt');
      return {
        ...{ beginMs, switched, downtimesMs, migrations: ids, intentMs: Math.min(...times('acceptedAt')) },
        ...(readyAt.length < guests.length ? {} : { readyMs: Math.max(...readyAt) }),
      };
    },
  };
}
