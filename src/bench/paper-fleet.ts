import { pairKey } from '../broker/bucket.ts';
import type { AppVm } from '../lab/app-vm.ts';
import { type Warmed, warmAhead } from '../lab/experiment/arms.ts';
import { arrive } from '../lab/experiment/move.ts';
import type { RouteFollower, Switched } from '../lab/experiment/route-follower.ts';
import { replicas, type Site, tableOf, type VmLoad } from '../lab/experiment/site.ts';
import { until } from '../lab/run.ts';
import { systemClock } from '../lib/clock.ts';

/** The VMs of one run, which move at once. */
export interface Fleet {
  readonly vms: readonly AppVm[];
  /** As the VMs see a replica. */
  readonly dsnOf: (replica: string) => string;
  /** Moves them to the target, warmed by Forewarm or not; `routes` has one for each. */
  move(routes: readonly RouteFollower[], by: { warm: boolean; migrationMs: number }): Promise<Moved>;
}

/** Times in milliseconds since 1970. */
export interface Moved {
  readonly beginMs: number;
  readonly switched: readonly Switched[];
  /** Ids of Forewarm's migrations. */
  readonly migrations: readonly string[];
  readonly intentMs?: number;
  readonly readyMs?: number;
  readonly downtimesMs?: readonly number[];
}

/** VMs that are processes: their migration is a stretch of time that goes by. */
export async function startProcesses(site: Site, loads: readonly VmLoad[]): Promise<Fleet> {
  const vms = await Promise.all(loads.map((load) => site.startVm(site.source, load)));
  return {
    vms,
    dsnOf: (replica) => site.database.server(replica).url,
    async move(routes, { warm, migrationMs }) {
      const names = loads.map(({ vm }) => vm);
      const warmed = warm ? await warmAll(site, names) : undefined;
      const beginMs = Date.now();
      await systemClock.sleep(migrationMs);
      const switched = await Promise.all(
        routes.map((route, i) =>
          route.through(() => arrive(site, { vm: names[i] ?? '', evidence: warmed?.[i]?.evidence }), {
            replica: replicas.target,
          }),
        ),
      );
      if (warmed === undefined) return { beginMs, switched, migrations: [] };
      const marks = warmed.flatMap((one) => one.marks);
      const atOf = (name: string) => marks.filter((mark) => mark.name === name).map(({ atMs }) => atMs);
      return {
        ...{ beginMs, switched, migrations: warmed.map(({ evidence }) => evidence.record.id) },
        ...{ intentMs: Math.min(...atOf('intent')), readyMs: Math.max(...atOf('ready')) },
      };
    },
  };
}

/** One intent a VM, all at once; as a hook does, the migration is held until they are ready. */
async function warmAll(site: Site, names: readonly string[]): Promise<readonly Warmed[]> {
  for (const vm of names) await knownAtSource(site, vm);
  return Promise.all(names.map((vm) => warmAhead(site, { vm, tables: [tableOf(vm)] })));
}

/** Resolves when the source's agent has told what the VM reads. */
export async function knownAtSource(site: Site, vm: string): Promise<void> {
  await until(
    `the source to know ${vm}`,
    async () => {
      const found = await site.broker.profiles.get(pairKey(replicas.source, vm));
      return (found?.value.relations.length ?? 0) > 0 ? true : undefined;
    },
    { timeoutMs: 30_000, everyMs: 100 },
  );
}
