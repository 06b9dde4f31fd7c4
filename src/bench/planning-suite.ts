import { renderPage, settingsTable } from '../lab/report/page.ts';
import { type PlanningFigures, planningColumns, runPlanningBench } from './planning.ts';
import type { Figure, Suite, SuiteOutcome } from './suite.ts';
import { htmlTable } from './tables.ts';

const stage = { text: 'merging, encoding, decoding and planning 16 M blocks', expectedMs: 25_000 };

export const planningSuite: Suite = {
  name: 'planning',
  measures: 'a work set of 128 GiB merged, encoded, decoded, planned',
  needs: '1 GB of memory',
  takes: '30 s',
  repetitions: 3,
  stages: () => [stage],
  async run({ quick, repetitions }, { onStage, onPartial }) {
    onStage(stage);
    const soFar: PlanningFigures[] = [];
    await runPlanningBench({
      runs: quick ? 1 : repetitions,
      onRun: (figures) => {
        soFar.push(figures);
        onPartial(() => outcomeOf(soFar));
      },
    });
    return outcomeOf(soFar);
  },
};

function outcomeOf(all: readonly PlanningFigures[]): SuiteOutcome {
  return {
    versions: {},
    settings: {},
    figures: figuresOf(all),
    seen: { runs: all },
    text: (renderTable) => renderTable(planningColumns, all),
    report: () =>
      renderPage({
        title: 'Benchmark: planning',
        body: `<p class="lead">A work set of 16 million blocks in 40 relations: the source's rows are merged and encoded, the target decodes and plans, each run in a process of its own.</p>${htmlTable(planningColumns, all)}<h2>Settings</h2>${settingsTable({ blocks: all[0]?.blocks ?? 0 })}`,
        charts: [],
      }),
  };
}

function figuresOf(all: readonly PlanningFigures[]): readonly Figure[] {
  const scenarios = [...new Set(all.map(({ scenario }) => scenario))];
  return scenarios.flatMap((scenario): Figure[] => {
    const own = all.filter((one) => one.scenario === scenario);
    const parts = ['mergeMs', 'encodeMs', 'decodeMs', 'planMs', 'totalMs'] as const;
    return [
      ...parts.map(
        (part): Figure => ({
          ...{ of: scenario, name: part.slice(0, -2), unit: 'ms', better: 'less' },
          values: own.map((one) => one[part]),
        }),
      ),
      {
        ...{ of: scenario, name: 'memory', unit: 'bytes', better: 'less' },
        values: own.map(({ rssGrowthBytes }) => rssGrowthBytes),
      },
    ];
  });
}
