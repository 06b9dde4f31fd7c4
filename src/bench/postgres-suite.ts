import { benchStages, type PostgresBench, runPostgresBench } from './postgres.ts';
import { goalsOf } from './postgres-figures.ts';
import { postgresReport, postgresSeen, postgresText } from './postgres-report.ts';
import { figuresOfRuns } from './run-figures.ts';
import type { Suite, SuiteOutcome } from './suite.ts';

export const postgresSuite: Suite = {
  name: 'postgres',
  measures:
    'moves a VM between real replicas: cold, with Forewarm, always warm; and what it costs the source',
  needs: 'root for a limited disk, 6 GB of disk',
  takes: '10 to 14 min (--quick 3 min)',
  engines: ['postgres'],
  devices: ['gp3', 'hdd', 'none'],
  repetitions: 6,
  stages: benchStages,
  async run(options, lab) {
    return outcomeOf(
      await runPostgresBench(options, { ...lab, onRun: (soFar) => lab.onPartial(() => outcomeOf(soFar)) }),
    );
  },
};

function outcomeOf(bench: PostgresBench): SuiteOutcome {
  return {
    versions: { postgres: bench.experiment.database.version },
    settings: bench.settings,
    figures: figuresOfRuns(bench.experiment.runs),
    seen: postgresSeen(bench, goalsOf(bench)),
    text: (renderTable) => postgresText(bench, renderTable),
    report: () => postgresReport(bench),
  };
}
