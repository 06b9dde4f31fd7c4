import type { Stage } from '../../lab/experiment/site.ts';
import type { OwnedProcesses } from '../../lab/owned-processes.ts';
import { systemClock } from '../../lib/clock.ts';
import type { MigrationRecord } from '../../messages/record.ts';
import { type IntentTrace, Round } from './round.ts';
import { planIntents, type RoundName } from './schedule.ts';
import { type CoordinationSettings, killedProcesses } from './settings.ts';
import { CoordinationSite, type SiteReading } from './site.ts';

/** Everything that was seen of one round. */
export interface RoundEvidence {
  readonly name: RoundName;
  readonly traces: readonly (IntentTrace & {
    readonly firstReadMs?: number;
    /** Its target's agent was among those that were killed. */
    readonly killed: boolean;
    readonly record?: Pick<MigrationRecord, 'state' | 'acceptedAt' | 'target' | 'residency'>;
    /** Where the VM's route leads at the end. */
    readonly route?: string;
    /** Acceptances in the audit trail that JetStream keeps. */
    readonly storedAcceptances: number;
  })[];
  readonly before: SiteReading;
  readonly after: SiteReading;
}

export interface CoordinationRun {
  readonly settings: CoordinationSettings;
  readonly startMs: number;
  readonly memory: Awaited<ReturnType<CoordinationSite['memory']>>;
  /** Begin and end of a stretch in which nothing moved. */
  readonly idle: readonly [SiteReading, SiteReading];
  readonly rounds: readonly RoundEvidence[];
  readonly errors: readonly string[];
}

/** When the processes are killed, as a part of the time over which the intents are published. */
const killedAt = 0.3;
/** Longest wait for the last migration of a round. */
const settleMs = 90_000;
const deadlineMs = 60_000;

export function coordinationStages(settings: CoordinationSettings): readonly Stage[] {
  const { replicas, intents, overMs, idleMs } = settings;
  const roundMs = overMs + 8_000;
  return [
    { text: `starting NATS and ${replicas} agents`, expectedMs: 5_000 + replicas * 15 },
    { text: 'nothing moves', expectedMs: idleMs },
    { text: `${intents} intents`, expectedMs: roundMs },
    { text: `${intents} intents, a third of the agents killed`, expectedMs: roundMs + 20_000 },
  ];
}

/** Agents with simulated databases, everything else real, on one NATS server. */
export async function runCoordination(
  settings: CoordinationSettings,
  lab: {
    readonly owned: OwnedProcesses;
    readonly onStage: (stage: Stage) => void;
    /** Takes the run as far as it is after each round. */
    readonly onRound?: (soFar: CoordinationRun) => void;
  },
): Promise<CoordinationRun> {
  const [starting, idling, ...moving] = coordinationStages(settings);
  lab.onStage(starting!);
  const site = await CoordinationSite.start(settings, lab.owned);
  try {
    const beganMs = performance.now();
    await site.startAgents();
    const startMs = performance.now() - beganMs;
    lab.onStage(idling!);
    // What a start publishes and reads is over by then.
    await systemClock.sleep(settings.idleMs / 2);
    const idle = [await site.read()];
    await systemClock.sleep(settings.idleMs);
    idle.push(await site.read());
    const memory = await site.memory();
    const rounds: RoundEvidence[] = [];
    const run: CoordinationRun = {
      ...{ settings, startMs, memory, idle: [idle[0]!, idle[1]!], rounds, errors: site.errors },
    };
    for (const [i, name] of (['steady', 'killed'] as const).entries()) {
      lab.onStage(moving[i]!);
      rounds.push(await runRound(site, settings, name));
      lab.onRound?.(run);
    }
    return run;
  } finally {
    await site.close();
  }
}

async function runRound(
  site: CoordinationSite,
  settings: CoordinationSettings,
  name: RoundName,
): Promise<RoundEvidence> {
  const round = new Round(site.broker, settings.moveMs);
  site.onEvent = (data) => round.see(data);
  const victims = name === 'killed' ? site.processes.slice(0, killedProcesses(settings)) : [];
  const before = await site.read();
  const publishing = round.publish(planIntents(settings, name), deadlineMs);
  if (victims.length > 0) {
    await systemClock.sleep(settings.overMs * killedAt);
    await Promise.all(victims.map((victim) => victim.kill()));
    await Promise.all(victims.map((victim) => victim.start()));
  }
  await publishing;
  await round.settled(settleMs);
  const after = await site.read();
  const killed = new Set(victims.flatMap(({ config }) => config.agents.map(({ replica }) => replica)));
  return { name, before, after, traces: await complete(site, round, killed) };
}

/** Adds what NATS has stored of each. */
async function complete(site: CoordinationSite, round: Round, killed: ReadonlySet<string>) {
  const { broker } = site;
  const acceptances = new Map<string, number>();
  for await (const { id, state, progress } of broker.events.of(undefined, {
    signal: new AbortController().signal,
  })) {
    if (state === 'accepted' && progress === undefined) acceptances.set(id, (acceptances.get(id) ?? 0) + 1);
  }
  return await Promise.all(
    [...round.traces.values()].map(async (trace) => {
      const record = (await broker.records.get(trace.id))?.value;
      const route = (await broker.routes.get(trace.vm))?.replica;
      const firstReadMs = site.firstReads.get(trace.vm);
      return {
        ...trace,
        ...(firstReadMs === undefined ? {} : { firstReadMs }),
        killed: killed.has(trace.target),
        ...(record === undefined
          ? {}
          : { record: pick(record), takenMs: Date.parse(record.acceptedAt ?? '') }),
        ...(route === undefined ? {} : { route }),
        storedAcceptances: acceptances.get(trace.id) ?? 0,
      };
    }),
  );
}

function pick({ state, acceptedAt, target, residency }: MigrationRecord) {
  return {
    state,
    target,
    ...(acceptedAt === undefined ? {} : { acceptedAt }),
    ...(residency === undefined ? {} : { residency }),
  };
}
