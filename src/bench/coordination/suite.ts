import { locateNats } from '../../lab/nats-server.ts';
import { run as runProgram } from '../../lab/run.ts';
import type { Suite, SuiteOptions, SuiteOutcome } from '../suite.ts';
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
  takes: '2 min (--quick 1 min)',
  repetitions: 1,
  stages: (options) =>
    Array.from({ length: options.repetitions }, () => coordinationStages(settingsOf(options))).flat(),
  async run(options, { owned, onStage, onPartial }) {
    const runs: CoordinationRun[] = [];
    const settings = settingsOf(options);
    const nats = (await runProgram(await locateNats(), ['--version'])).replace(/^\D*/, '').trim();
    const outcomeOf = (all: readonly CoordinationRun[]): SuiteOutcome => ({
      versions: { nats },
      settings,
      figures: figuresOf(all),
      seen: { runs: all },
      text: (renderTable) => coordinationText(all, renderTable),
      report: () => coordinationReport(all),
    });
    for (let repetition = 0; repetition < options.repetitions; repetition++) {
      const onRound = (run: CoordinationRun) => onPartial(() => outcomeOf([...runs, run]));
      runs.push(await runCoordination(settings, { owned, onStage, onRound }));
    }
    return outcomeOf(runs);
  },
};
