import { type RivalsBench, rivalsStages, runRivals } from './rivals.ts';
import { rivalsReport, rivalsText } from './rivals-report.ts';
import { rivalFigures } from './rivals-summary.ts';
import type { Suite, SuiteOutcome } from './suite.ts';

export const rivalsSuite: Suite = {
  name: 'rivals',
  measures:
    'every known way of warming a replica before a VM moves there, against Forewarm and against always warm',
  needs: 'root for a limited disk, 6 GB of disk',
  takes: '28 min, 36 min on hdd (--quick 5 min)',
  engines: ['postgres'],
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
    ...{ settings, seen, versions: { postgres: version }, figures: rivalFigures(bench) },
    text: (renderTable) => rivalsText(bench, renderTable),
    report: () => rivalsReport(bench),
  };
}
