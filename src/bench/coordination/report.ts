import { type Chart, chartElement } from '../../lab/report/charts.ts';
import { escapeMarkup } from '../../lab/report/format.ts';
import { renderPage, settingsTable } from '../../lab/report/page.ts';
import { type Goal, goal } from '../goals.ts';
import { quantile } from '../quantile.ts';
import type { Figure } from '../suite.ts';
import { type Column, goalColumns, htmlTable, type RenderTable } from '../tables.ts';
import type { CoordinationRun } from './coordination.ts';
import { idleFigures, type RoundFigures, roundFigures, type Spread } from './figures.ts';

const ms = ({ p50, p99, max }: Spread) => [p50, p99, max].map((value) => Math.round(value)).join(' / ');

const roundColumns: readonly Column<RoundFigures>[] = [
  { title: 'round', value: ({ name }) => name },
  { title: 'intents', right: true, value: ({ intents }) => String(intents) },
  { title: 'lost', right: true, value: ({ lost }) => String(lost.length) },
  { title: 'accepted twice', right: true, value: ({ acceptedTwice }) => String(acceptedTwice.length) },
  { title: 'accepted, ms: p50 / p99 / max', right: true, value: ({ accepted }) => ms(accepted) },
  { title: 'first warm read, ms', right: true, value: ({ firstRead }) => ms(firstRead) },
  { title: 'ready, ms', right: true, value: ({ ready }) => ms(ready) },
];
const stepColumns: readonly Column<RoundFigures>[] = [
  { title: 'round', value: ({ name }) => name },
  { title: 'taken by the agent, ms: p50 / p99 / max', right: true, value: ({ steps }) => ms(steps.taken) },
  { title: 'stored, ms', right: true, value: ({ steps }) => ms(steps.stored) },
  { title: 'seen, ms', right: true, value: ({ steps }) => ms(steps.seen) },
  { title: 'messages an intent', right: true, value: ({ messagesAnIntent }) => messagesAnIntent.toFixed(0) },
  { title: 'kB an intent', right: true, value: ({ bytesAnIntent }) => (bytesAnIntent / 1000).toFixed(1) },
  { title: 'NATS, cores', right: true, value: ({ natsCores }) => natsCores.toFixed(2) },
  { title: 'agents, cores', right: true, value: ({ agentsCores }) => agentsCores.toFixed(2) },
];

/** Each round, and of the one with kills those whose agent was killed and the others. */
export function allRounds(run: CoordinationRun): readonly RoundFigures[] {
  return run.rounds.flatMap((evidence) =>
    evidence.name === 'steady'
      ? [roundFigures(evidence, run)]
      : (['killed', 'spared'] as const).map((targets) => roundFigures(evidence, run, targets)),
  );
}

export function goalsOf(runs: readonly CoordinationRun[]): readonly Goal[] {
  const steady = (of: (figures: RoundFigures) => number) =>
    runs.flatMap((run) =>
      run.rounds.filter(({ name }) => name === 'steady').map((one) => of(roundFigures(one, run))),
    );
  const both = (of: (figures: RoundFigures) => number) =>
    runs.map((run) => run.rounds.reduce((sum, one) => sum + of(roundFigures(one, run)), 0));
  return [
    goal('accepted, p99 in ms', {
      limit: [0, 250],
      unit: 'blocks',
      values: steady(({ accepted }) => accepted.p99),
    }),
    goal('lost, in both rounds', {
      ...{ limit: [0, 0], unit: 'blocks', always: true },
      values: both(({ lost }) => lost.length),
    }),
    goal('accepted twice, in both rounds', {
      ...{ limit: [0, 0], unit: 'blocks', always: true },
      values: both(({ acceptedTwice }) => acceptedTwice.length),
    }),
  ];
}

/** Every sample of the times, and of the rest one value a repetition. */
export function figuresOf(runs: readonly CoordinationRun[]): readonly Figure[] {
  const rounds = (['steady', 'killed'] as const).flatMap((name): Figure[] => {
    const own = runs.flatMap((run) =>
      run.rounds.filter((one) => one.name === name).map((one) => ({ run, one })),
    );
    const since = (to: 'acceptedMs' | 'firstReadMs' | 'readyMs') =>
      own.flatMap(({ one }) =>
        one.traces.flatMap((trace) => (trace[to] === undefined ? [] : [trace[to] - trace.publishedMs])),
      );
    const times = {
      accepted: since('acceptedMs'),
      'first warm read': since('firstReadMs'),
      ready: since('readyMs'),
    };
    const each = (of: (figures: RoundFigures) => number) =>
      own.map(({ one, run }) => of(roundFigures(one, run)));
    return [
      ...Object.entries(times).flatMap(([what, values]): Figure[] =>
        (['median', 'p99'] as const).map((statistic) => ({
          ...{ of: name, name: `${what}, ${statistic}`, unit: 'ms', better: 'less', statistic, values },
        })),
      ),
      { of: name, name: 'lost', unit: 'count', better: 'less', values: each(({ lost }) => lost.length) },
      {
        of: name,
        name: 'messages an intent',
        unit: 'count',
        better: 'less',
        values: each((f) => f.messagesAnIntent),
      },
      {
        of: name,
        name: 'bytes an intent',
        unit: 'bytes',
        better: 'less',
        values: each((f) => f.bytesAnIntent),
      },
    ];
  });
  const idle = runs.map(idleFigures);
  return [
    ...rounds,
    {
      of: 'idle',
      name: 'messages an agent',
      unit: 'per second',
      better: 'less',
      values: idle.map((one) => one.messages),
    },
    {
      of: 'idle',
      name: 'bytes an agent',
      unit: 'per second',
      better: 'less',
      values: idle.map((one) => one.bytes),
    },
    {
      of: 'idle',
      name: 'memory an agent',
      unit: 'bytes',
      better: 'less',
      values: runs.map(({ memory }) => memory.agent),
    },
  ];
}

function sentences(run: CoordinationRun): readonly string[] {
  const idle = idleFigures(run);
  const { memory, settings, errors } = run;
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  return [
    `${settings.replicas} agents of ${settings.vms} VMs, ${settings.intents} intents in ${settings.overMs / 1000} s; all agents, NATS and the measuring on one machine. The databases are simulated: times to ready are not those of a disk.`,
    `While nothing moves, an agent takes ${idle.messages.toFixed(2)} messages and ${idle.bytes.toFixed(0)} bytes a second; NATS ${idle.natsCores.toFixed(2)} and all agents ${idle.agentsCores.toFixed(2)} processors.`,
    `An agent takes ${mb(memory.agent)} beyond the ${mb(memory.code)} of its process; NATS takes ${mb(memory.nats)}.`,
    ...(errors.length === 0 ? [] : [`${errors.length} agents ended with an error, the first: ${errors[0]}`]),
  ];
}

export function coordinationText(runs: readonly CoordinationRun[], renderTable: RenderTable): string {
  return [
    renderTable(goalColumns, goalsOf(runs)),
    ...runs.flatMap((run) => [
      renderTable(roundColumns, allRounds(run)),
      renderTable(stepColumns, allRounds(run)),
      `${sentences(run).join('\n')}\n`,
    ]),
  ].join('\n');
}

const parts = Array.from({ length: 100 }, (_, i) => i);
const colors = { accepted: '#2563eb', firstRead: '#059669', ready: '#9333ea' } as const;

/** How long which part of the intents took. */
function chartOf(run: CoordinationRun, index: number): Chart {
  const evidence = run.rounds[index]!;
  const lines = { accepted: 'acceptedMs', firstRead: 'firstReadMs', ready: 'readyMs' } as const;
  const titles = { accepted: 'accepted', firstRead: 'first warm read', ready: 'ready' } as const;
  return {
    id: `round-${evidence.name}`,
    x: { title: 'part of the intents', unit: ' %', values: parts },
    y: { unit: ' ms', logarithmic: true },
    series: (Object.keys(lines) as (keyof typeof lines)[]).map((key) => {
      const values = evidence.traces.flatMap((trace) => {
        const at = trace[lines[key]];
        return at === undefined ? [] : [Math.max(0.1, at - trace.publishedMs)];
      });
      const at = (part: number) => (values.length === 0 ? null : quantile(values, part / 100));
      return { title: titles[key], color: colors[key], values: parts.map(at) };
    }),
  };
}

export function coordinationReport(runs: readonly CoordinationRun[]): string {
  const last = runs.at(-1)!;
  const charts = last.rounds.map((_, index) => chartOf(last, index));
  const rounds = runs.flatMap(allRounds);
  const { replicas, vms, intents, overMs, processes, seed, moveMs, workSet, relations } = last.settings;
  return renderPage({
    title: 'Benchmark: coordination',
    charts,
    body: [
      ...sentences(last).map((text) => `<p>${escapeMarkup(text)}</p>`),
      `<h2>Figures to reach</h2>${htmlTable(goalColumns, goalsOf(runs))}`,
      `<h2>Rounds</h2>${htmlTable(roundColumns, rounds)}${htmlTable(stepColumns, rounds)}`,
      ...charts.map(
        (chart, i) =>
          `<h2>${last.rounds[i]!.name === 'steady' ? 'All agents there' : 'A third of the agents killed and started again'}</h2><p class="quiet">How many of the intents took at most how long, in the last repetition.</p>${chartElement(chart)}`,
      ),
      `<h2>Settings</h2>${settingsTable({ replicas, VMs: vms, intents: `${intents} in ${overMs / 1000} s`, 'processes of agents': processes, 'move of a VM': `${moveMs} ms`, 'work set': `${workSet.blocks} blocks in ${workSet.ranges} ranges`, 'relations in a profile': relations, seed })}`,
    ].join('\n'),
  });
}
