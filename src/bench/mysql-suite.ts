import type { EngineKind } from '../engines/engine.ts';
import { benchStages, type MysqlBench, type MysqlBenchOptions, runMysqlBench } from './mysql.ts';
import { mysqlReport, mysqlSeen, mysqlText } from './mysql-report.ts';
import { figuresOfRuns } from './run-figures.ts';
import type { Suite, SuiteOptions, SuiteOutcome } from './suite.ts';

const engines = ['mariadb', 'mysql'] as const satisfies readonly EngineKind[];

export const mysqlSuite: Suite = {
  name: 'mysql',
  measures: 'the same on MariaDB or MySQL; and warming into a full pool, and of a hot part of a table',
  needs: 'root for a limited disk, 8 GB of disk',
  takes: '8 to 14 min (--quick 3 min)',
  engines,
  repetitions: 3,
  stages: (options) => benchStages(narrowed(options)),
  async run(options, lab) {
    return outcomeOf(
      await runMysqlBench(narrowed(options), {
        ...lab,
        onRun: (soFar) => lab.onPartial(() => outcomeOf(soFar)),
      }),
    );
  },
};

function outcomeOf(bench: MysqlBench): SuiteOutcome {
  return {
    versions: { [bench.settings.engine]: bench.experiment.database.version },
    settings: bench.settings,
    figures: figuresOfRuns(bench.experiment.runs),
    seen: mysqlSeen(bench),
    text: (renderTable) => mysqlText(bench, renderTable),
    report: () => mysqlReport(bench),
  };
}

function narrowed(options: SuiteOptions): MysqlBenchOptions {
  const engine = engines.find((one) => one === options.engine) ?? engines[0];
  return { ...options, engine };
}
