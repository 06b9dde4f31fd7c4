import type { Suite, SuiteOutcome } from '../suite.ts';
import { rivalsReport, rivalsText } from './report.ts';
import { type RivalsBench, runRivals } from './rivals.ts';
import { rivalsStages } from './settings.ts';
import { rivalFigures } from './summary.ts';

export const rivalsSuite: Suite = {
  name: 'rivals',
  measures:
    'every known way of warming a replica before a VM moves there, against Forewarm and against always warm',
  needs: 'root for a limited disk, 6 GB of disk',
  takes: '28 min, 36 min on hdd (--quick 5 min)',
  engines: ['postgres', 'mariadb', 'mysql'],
  devices: ['gp3', 'hdd', 'none'],
  repetitions: 3,
  stages: rivalsStages,
  async run(options, lab) {
    return outcomeOf(
      await runRivals(options, { ...lab, onRun: (soFar) => lab.onPartial(() => outcomeOf(soFar)) }),
    );
  },
};

function outcomeOf(bench: RivalsBench): SuiteOutcome {
  const { settings, version, ...seen } = bench;
  return {
    ...{ settings, seen, versions: { [settings.engine]: version }, figures: rivalFigures(bench) },
    text: (renderTable) => rivalsText(bench, renderTable),
    report: () => rivalsReport(bench),
  };
}
