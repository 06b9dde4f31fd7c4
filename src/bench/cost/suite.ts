import { fillSource } from '../../lab/experiment/move.ts';
import type { Stage } from '../../lab/experiment/site.ts';
import { startStages } from '../../lab/experiment/site.ts';
import { renderPage, settingsTable } from '../../lab/report/page.ts';
import { quantile } from '../quantile.ts';
import { withSite } from '../size/own-site.ts';
import { type SiteLab, siteOptions } from '../size/sized-moves.ts';
import { measureSourceCost, type SourceCost } from '../source-cost.ts';
import type { Figure, Suite, SuiteOptions, SuiteOutcome } from '../suite.ts';
import { type Column, htmlTable } from '../tables.ts';
import { type LagRun, measureLag } from './lag-run.ts';

/** How often an agent looks: as installed, and ten times as often. */
const rates = {
  installed: { interval: '1s', collect: '10s' },
  fast: { interval: '100ms', collect: '1s' },
} as const;

export interface CostRun extends SourceCost {
  readonly poolMb: number;
  readonly rate: keyof typeof rates;
}

const sizes = {
  full: {
    poolsMb: [128, 512, 2_048],
    pairs: 20,
    windowMs: 2_000,
    stretchMs: 60_000,
    writesPerSecond: [100, 1_000],
  },
  quick: { poolsMb: [128], pairs: 3, windowMs: 1_500, stretchMs: 5_000, writesPerSecond: [200] },
} as const;
type CostSizes = (typeof sizes)[keyof typeof sizes];

/** Most of the pool is read, so that a walk finds a full one. */
const tablePerPool = 2;
const hotShare = 0.4;
const stayerTableMb = 256;

const sizesOf = ({ quick }: SuiteOptions): CostSizes => (quick ? sizes.quick : sizes.full);

function costStage(poolMb: number, rate: string, { pairs, windowMs, stretchMs }: CostSizes): Stage {
  const expectedMs = 4_000 + 20 * poolMb + stretchMs + pairs * (2 * windowMs + 500);
  return {
    text: `the cost to a source with a pool of ${poolMb} MB, looked at as often as ${rate}`,
    expectedMs,
  };
}

function lagStage({ writesPerSecond }: CostSizes, { repetitions }: SuiteOptions): Stage {
  return { text: 'the cost to replay', expectedMs: 10_000 + repetitions * writesPerSecond.length * 20_000 };
}

const costSettings = (poolMb: number) => ({
  poolMb,
  tableMb: poolMb * tablePerPool,
  ...{ hotShare, neighbourTableMb: 16 },
});
const lagSettings = { poolMb: 512, tableMb: 512, neighbourTableMb: stayerTableMb };

export const costSuite: Suite = {
  name: 'cost',
  measures:
    "what sampling, profiles and work sets cost the source's throughput and latency, by rate and size of the pool; and what a prewarming costs replay",
  needs: 'root for a limited disk, 20 GB of disk, 8 GB of memory',
  takes: '26 min (--quick 2 min)',
  engines: ['postgres'],
  devices: ['gp3', 'hdd', 'none'],
  repetitions: 3,
  stages(options) {
    const own = sizesOf(options);
    const started = (site: { tableMb: number; neighbourTableMb: number }) =>
      startStages({ engine: options.engine, ...site });
    return [
      ...own.poolsMb.flatMap((poolMb) =>
        Object.keys(rates).flatMap((rate) => [
          ...started(costSettings(poolMb)),
          costStage(poolMb, rate, own),
        ]),
      ),
      ...started(lagSettings),
      lagStage(own, options),
    ];
  },
  async run(options, lab) {
    const own = sizesOf(options);
    const [costs, lags]: [CostRun[], LagRun[]] = [[], []];
    const versions: Record<string, string> = {};
    const onVersion = (version: string) => {
      versions[options.engine] = version;
    };
    const outcome = (): SuiteOutcome => ({
      versions,
      settings: { ...own, rates, lag: lagSettings },
      figures: costFigures(costs, lags),
      seen: { costs, lags },
      text: (renderTable) =>
        [renderTable(costColumns, costs), renderTable(lagColumns, lags), `${note}\n`].join('\n'),
      report: () =>
        renderPage({
          title: `Benchmark: cost, ${options.device}`,
          charts: [],
          body: `<h2>To the source</h2>${htmlTable(costColumns, costs)}<p>${note}</p><h2>To replay at the target</h2>${htmlTable(lagColumns, lags)}<h2>Settings</h2>${settingsTable({ device: options.device, seed: options.seed, repetitions: options.repetitions })}`,
        }),
    });
    for (const poolMb of own.poolsMb) {
      for (const rate of Object.keys(rates) as (keyof typeof rates)[]) {
        costs.push(await runCost({ poolMb, rate }, options, { ...lab, onVersion }));
        lab.onPartial(outcome);
      }
    }
    await runLags(options, { ...lab, onVersion }, (lag) => {
      lags.push(lag);
      lab.onPartial(outcome);
    });
    return outcome();
  },
};

const note =
  'Each cost is the median of pairs of windows, the agent at work and held still, with its 95 % interval; a work set is served once a minute at work.';

async function runCost(
  { poolMb, rate }: Pick<CostRun, 'poolMb' | 'rate'>,
  options: SuiteOptions,
  lab: SiteLab,
): Promise<CostRun> {
  const own = sizesOf(options);
  const site = {
    ...siteOptions({ ...options, device: 'none' }, lab),
    ...costSettings(poolMb),
    onVersion: lab.onVersion,
  };
  return await withSite({ ...site, agentSettings: { observe: rates[rate] } }, async (started) => {
    lab.onStage(costStage(poolMb, rate, own));
    await fillSource(started, 4_000 + 20 * poolMb);
    return { poolMb, rate, ...(await measureSourceCost(started, own)) };
  });
}

async function runLags(options: SuiteOptions, lab: SiteLab, onRun: (run: LagRun) => void): Promise<void> {
  const own = sizesOf(options);
  await withSite({ ...siteOptions(options, lab), ...lagSettings, onVersion: lab.onVersion }, async (site) => {
    lab.onStage(lagStage(own, options));
    await fillSource(site, 8_000);
    site.mover.pace(site.options.pace.before);
    for (let repetition = 0; repetition < options.repetitions; repetition++) {
      for (const writesPerSecond of own.writesPerSecond)
        onRun(await measureLag(site, { writesPerSecond, tableMb: stayerTableMb, seed: options.seed }));
    }
  });
}

const percent = (value: number) => `${(value * 100).toFixed(1)} %`;
const costColumns: readonly Column<CostRun>[] = [
  { title: 'pool', right: true, value: ({ poolMb }) => `${poolMb} MB` },
  { title: 'looks', value: ({ rate }) => `${rates[rate].interval}, ${rates[rate].collect}` },
  { title: 'cost to throughput', right: true, value: ({ cost }) => percent(cost) },
  { title: 'between', right: true, value: ({ between }) => between.map(percent).join(' and ') },
  {
    title: 'p99, at work ÷ still',
    right: true,
    value: (run) => quantile(latencyRatios(run), 0.5).toFixed(2),
  },
  { title: 'agent, cores', right: true, value: ({ cpuCores }) => cpuCores.agent.toFixed(3) },
  { title: 'sessions, cores', right: true, value: ({ cpuCores }) => cpuCores.sessions.toFixed(3) },
];
const lag = (values: readonly number[]) =>
  [0.5, 0.99, 1].map((part) => Math.round(quantile(values, part))).join(' / ');
const lagColumns: readonly Column<LagRun>[] = [
  {
    title: 'writes a second: wanted, done',
    right: true,
    value: (run) => `${run.writesPerSecond}, ${Math.round(run.written)}`,
  },
  { title: 'lag while still, ms: p50 / p99 / max', right: true, value: ({ still }) => lag(still) },
  { title: 'lag while prewarming, ms', right: true, value: ({ prewarming }) => lag(prewarming) },
  { title: 'ready after, ms', right: true, value: ({ readyMs }) => String(Math.round(readyMs)) },
];

function latencyRatios({ pairs }: Pick<CostRun, 'pairs'>): readonly number[] {
  return pairs.map(({ onP99Ms, offP99Ms }) => onP99Ms / offP99Ms);
}

/** What two runs can be compared by. */
export function costFigures(costs: readonly CostRun[], lags: readonly LagRun[]): readonly Figure[] {
  const rows = [...new Set(lags.map(({ writesPerSecond }) => writesPerSecond))];
  return [
    ...costs.flatMap((run): Figure[] => {
      const of = `${run.poolMb} MB, ${run.rate}`;
      const values = run.pairs.map(({ onTps, offTps }) => onTps / offTps);
      return [
        { of, name: 'throughput at work ÷ still', unit: 'ratio', better: 'more', values },
        { of, name: 'p99 at work ÷ still', unit: 'ratio', better: 'less', values: latencyRatios(run) },
        {
          of,
          name: 'cores of agent and sessions',
          unit: 'share',
          better: 'less',
          values: [run.cpuCores.agent + run.cpuCores.sessions],
        },
      ];
    }),
    ...rows.flatMap((rate) =>
      (['still', 'prewarming'] as const).map(
        (when): Figure => ({
          ...{
            of: `${rate} writes/s`,
            name: `lag while ${when}, p99`,
            unit: 'ms',
            better: 'less',
            statistic: 'p99',
          },
          values: lags.filter(({ writesPerSecond }) => writesPerSecond === rate).flatMap((run) => run[when]),
        }),
      ),
    ),
  ];
}
