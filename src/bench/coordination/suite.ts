import { locateNats } from '../../lab/nats-server.ts';
import { run as runProgram } from '../../lab/run.ts';
import type { Suite, SuiteOptions } from '../suite.ts';
import { type CoordinationRun, coordinationStages, runCoordination } from './coordination.ts';
import { coordinationReport, coordinationText, figuresOf } from './report.ts';
import { type CoordinationSettings, fullSettings, quickSettings } from './settings.ts';

function settingsOf({ quick, seed }: SuiteOptions): CoordinationSettings {
  return { ...(quick ? quickSettings : fullSettings), seed };
}

export const coordinationSuite: Suite = {
  name: 'coordination',
  measures:
    '1,000 agents with simulated databases on one NATS server: 1,000 intents in 10 s, then with a third of the agents killed',
  needs: '4 GB of memory, 2 processors',
  takes: '3 min (--quick 1 min), estimated',
  repetitions: 1,
  stages: (options) =>
    Array.from({ length: options.repetitions }, () => coordinationStages(settingsOf(options))).flat(),
  async run(options, { owned, onStage }) {
    const runs: CoordinationRun[] = [];
    const settings = settingsOf(options);
    for (let repetition = 0; repetition < options.repetitions; repetition++)
      runs.push(await runCoordination(settings, { owned, onStage }));
    return {
      versions: { nats: (await runProgram(await locateNats(), ['--version'])).replace(/^\D*/, '').trim() },
      settings,
      figures: figuresOf(runs),
      seen: { runs },
      text: (renderTable) => coordinationText(runs, renderTable),
      report: () => coordinationReport(runs),
    };
  },
};
