import { pairKey } from '../../broker/bucket.ts';
import { warmAhead } from '../../lab/experiment/arms.ts';
import { goHome, type Warming } from '../../lab/experiment/move.ts';
import { replicas, type Site, tables, vms } from '../../lab/experiment/site.ts';
import { until } from '../../lab/run.ts';
import { systemClock } from '../../lib/clock.ts';
import { longestMs, type Way, type WayContext } from './way.ts';

export const control: Way = {
  name: 'warm',
  title: 'always warm',
  explained: 'control: the target had served the VM all along',
  color: '#8b919c',
  control: true,
  expectedMs: 5_000,
};

export const cold: Way = {
  name: 'cold',
  title: 'cold',
  explained: 'nothing is done before the move',
  color: '#3b6fd4',
  expectedMs: 0,
};

/** Stands behind the one that it copies. */
export const sleep: Way = {
  name: 'sleep',
  title: 'sleep',
  explained: 'as long as Forewarm took, without any warming',
  color: '#9aa7bd',
  warm: async ({ forewarmMs }) => systemClock.sleep(forewarmMs).then(() => undefined),
  expectedMs: 5_000,
};

export const mirrors: readonly Way[] = [
  {
    name: 'mirror-1',
    title: 'mirrored 1 %',
    explained: "one of a hundred of the VM's reads done at the target too",
    color: '#c0568f',
    warm: (context) => mirror(context, 0.01),
    expectedMs: 10_000,
  },
  {
    name: 'mirror-10',
    title: 'mirrored 10 %',
    explained: "one of ten of the VM's reads done at the target too",
    color: '#8f2f63',
    warm: (context) => mirror(context, 0.1),
    expectedMs: 10_000,
  },
];

/** As installed. */
export function forewarm(told: Pick<Way, 'name' | 'title' | 'explained' | 'expectedMs'>): Way {
  return { ...told, color: '#e2571e', subject: true, warm: ({ site }) => warmByForewarm(site) };
}

/** Physical replicas have one catalog: what the source's pool holds can be hidden only by an agent that is away. */
export const forewarmRelations: Way = {
  name: 'forewarm-relations',
  title: 'Forewarm, relations',
  explained: "the source's agent is away: whole relations by the last profile that it published",
  color: '#f0a37e',
  async warm({ site }) {
    await site.agents.source.stop();
    return warmByForewarm(site);
  },
  restore: restoreSourceAgent,
  expectedMs: 15_000,
};

async function warmByForewarm(site: Site): Promise<Warming> {
  return warmAhead(site, { vm: vms.mover, tables, deadlineMs: longestMs });
}

/** The source's agent knows the VM again, which reads there. */
async function restoreSourceAgent(site: Site): Promise<void> {
  await goHome(site);
  const startedMs = Date.now();
  site.agents.source.start();
  await until(
    'the source to have published a profile again',
    async () => {
      const found = await site.broker.profiles.get(pairKey(replicas.source, vms.mover));
      const at = Date.parse(found?.value.at ?? '');
      return at > startedMs && (found?.value.relations.length ?? 0) > 0 ? true : undefined;
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );
}

async function mirror({ site, mirrorMs }: WayContext, share: number): Promise<undefined> {
  site.mover.mirror(site.target.url, share);
  await systemClock.sleep(mirrorMs);
  site.mover.mirror(site.target.url, 0);
  return undefined;
}
