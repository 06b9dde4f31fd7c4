import { type PaperBench, paperSettings, paperStages, runPaper } from './paper.ts';
import { paperFigures } from './paper-figures.ts';
import { paperPictures, paperReport, paperText } from './paper-report.ts';
import type { Suite, SuiteOutcome } from './suite.ts';

export const paperSuite: Suite = {
  name: 'paper',
  measures:
    'the experiment of the paper on a database: one VM and six, caches cold, warm, and warmed by Forewarm',
  needs: 'root for limited disks, 5 GB of disk',
  takes: '21 min (--quick 3 min)',
  engines: ['postgres', 'mariadb', 'mysql'],
  devices: ['gp3', 'hdd', 'none'],
  live: 'migrate guests from one QEMU process to another while they read (root; fetches QEMU and a kernel)',
  repetitions: 3,
  stages: paperStages,
  async run(options, lab) {
    return outcomeOf(
      await runPaper(paperSettings(options), {
        ...lab,
        onRun: (soFar) => lab.onPartial(() => outcomeOf(soFar)),
      }),
    );
  },
};

function outcomeOf(bench: PaperBench): SuiteOutcome {
  const { settings, version, ...seen } = bench;
  return {
    ...{ settings, seen, versions: { [settings.engine]: version }, figures: paperFigures(bench) },
    text: (renderTable) => paperText(bench, renderTable),
    report: () => paperReport(bench),
    pictures: () => paperPictures(bench),
  };
}
