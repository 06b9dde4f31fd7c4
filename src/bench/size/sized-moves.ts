import { callOff, warmAhead } from '../../lab/experiment/arms.ts';
import { databaseKinds, placeOf } from '../../lab/experiment/databases.ts';
import { fillSource } from '../../lab/experiment/move.ts';
import { floorMsOf } from '../../lab/experiment/run-experiment.ts';
import { type SiteOptions, tables, vms } from '../../lab/experiment/site.ts';
import type { SuiteLab, SuiteOptions } from '../suite.ts';
import type { SizeCase } from './fits.ts';
import { withSite } from './own-site.ts';

/** One work set brought into a cold target once. */
export interface SizedMove extends SizeCase {
  readonly workSetBytes: number;
  readonly readyMs: number;
  /** The work set's bytes by the disk's bandwidth. */
  readonly floorMs: number;
  readonly bytesRead: number;
  readonly operationsRead: number | undefined;
  readonly residency: number;
}

/** What those get that start sites of their own. */
export type SiteLab = Pick<SuiteLab, 'onStage'> & { readonly onVersion: (version: string) => void };

/** Everything but the sizes. */
export function siteOptions(
  { engine, device, seed }: SuiteOptions,
  { onStage }: Pick<SuiteLab, 'onStage'>,
): Omit<SiteOptions, 'owned' | 'poolMb' | 'tableMb'> {
  const common = { neighbourTableMb: 16, clientCount: 4, pace: { before: 200 } };
  return { onStage, engine, device, seed, ...placeOf(engine), ...common };
}

/** Warms a work set of one size as often as asked for, each time from cold. */
export async function measureSize(
  size: SizeCase,
  options: SuiteOptions,
  lab: SiteLab & { readonly onMove: (move: SizedMove) => void },
): Promise<void> {
  const { poolMb, tableMb, hotShare } = size;
  const own = { poolMb, tableMb, hotShare, onVersion: lab.onVersion };
  await withSite({ ...siteOptions(options, lab), ...own }, async (site) => {
    lab.onStage(sizeStage(size, options));
    await fillSource(site, fillMs(size));
    for (let repetition = 0; repetition < options.repetitions; repetition++) {
      site.mover.pace(site.options.pace.before);
      await site.coolTarget();
      const { evidence, readyMs, bytesRead } = await warmAhead(site, { vm: vms.mover, tables });
      const device = { profile: options.device, throttled: site.disk.throttled };
      const { maxReadBytes } = databaseKinds[options.engine];
      lab.onMove({
        ...size,
        workSetBytes: evidence.record.workSet?.bytes ?? 0,
        ...{ readyMs, bytesRead, floorMs: floorMsOf(device, evidence, maxReadBytes) },
        operationsRead: evidence.operationsRead,
        residency: evidence.record.residency ?? 0,
      });
      await callOff(site, evidence.record);
    }
  });
}

/** What comes after the site's own stages. */
export function sizeStage(size: SizeCase, { repetitions }: Pick<SuiteOptions, 'repetitions'>) {
  const { workSetMb, tableMb } = size;
  const expectedMs = fillMs(size) + repetitions * (6_000 + 12 * workSetMb);
  return { text: `warming ${workSetMb} MB of a table of ${tableMb} MB`, expectedMs };
}

/** Least time for reading a scattered work set from the machine's own disk. */
function fillMs({ workSetMb }: SizeCase): number {
  return 4_000 + 20 * workSetMb;
}
