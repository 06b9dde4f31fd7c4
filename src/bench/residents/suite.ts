import type { Suite, SuiteOutcome } from '../suite.ts';
import { residentsFigures } from './figures.ts';
import { residentsReport, residentsText } from './report.ts';
import { runResidents } from './residents.ts';
import type { ResidentsBench } from './result.ts';
import { residentsStages } from './settings.ts';

export const residentsSuite: Suite = {
  name: 'residents',
  measures:
    'what those who live on the target feel of each way of warming it, and which of their pages they lose',
  needs: 'root for a limited disk and page cache, 8 GB of disk',
  takes: '24 min (--quick 4 min)',
  engines: ['postgres', 'mariadb', 'mysql'],
  devices: ['gp3', 'hdd', 'none'],
  repetitions: 3,
  stages: residentsStages,
  async run(options, lab) {
    return outcomeOf(
      await runResidents(options, { ...lab, onRun: (soFar) => lab.onPartial(() => outcomeOf(soFar)) }),
    );
  },
};

function outcomeOf(bench: ResidentsBench): SuiteOutcome {
  const { settings, version, ...seen } = bench;
  return {
    ...{ settings, seen, versions: { [settings.engine]: version }, figures: residentsFigures(bench) },
    text: (renderTable) => residentsText(bench, renderTable),
    report: () => residentsReport(bench),
  };
}
