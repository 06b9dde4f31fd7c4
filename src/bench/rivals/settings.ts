import { benchTableMb } from '../../lab/app-data.ts';
import { placeOf } from '../../lab/experiment/databases.ts';
import { type SiteOptions, type Stage, startStages } from '../../lab/experiment/site.ts';
import type { Tolerance } from '../../lab/experiment/undisturbed.ts';
import { tolerance } from '../run-figures.ts';
import type { SuiteOptions } from '../suite.ts';
import { control } from './common-ways.ts';
import type { Way } from './way.ts';
import { waysOf } from './ways.ts';

export interface RivalsSettings extends Omit<SiteOptions, 'owned' | 'onStage'> {
  readonly repetitions: number;
  readonly fillMs: number;
  readonly mirrorMs: number;
  readonly leadMs: number;
  /** Names of the ways, the control not among them. */
  readonly ways: readonly string[];
  /** Stretches of time from the switch on; in the last one is told which blocks were touched. */
  readonly windowsMs: readonly number[];
  /** Of what the host may take from a move that counts; any where left out. */
  readonly tolerance?: Tolerance;
}

/** Least to be learned from. */
const notInQuick: ReadonlySet<string> = new Set(['sleep', 'select', 'mirror-1']);

export function rivalsSettings(options: SuiteOptions): RivalsSettings {
  const { engine, device, seed, quick, repetitions } = options;
  const names = waysOf(engine).map(({ name }) => name);
  return {
    ...{ engine, device, seed, clientCount: 8, repetitions, agentLogLevel: 'debug' },
    ...placeOf(engine),
    // Wanted, not as fast as it goes: what is not done of it is what the application lacks.
    pace: { before: 400, after: 5_000 },
    ...(quick
      ? {
          ...{
            poolMb: engine === 'postgres' ? 128 : 256,
            tableMb: 200,
            neighbourTableMb: 12,
            fillMs: 3_000,
            mirrorMs: 2_000,
            leadMs: 1_000,
          },
          ways: names.filter((name) => !notInQuick.has(name)),
          ...{ windowsMs: [1_000, 4_000], agentSettings: { account: { window: '2s' } } },
        }
      : {
          ...{
            poolMb: 512,
            tableMb: engine === 'postgres' ? benchTableMb : 600,
            neighbourTableMb: 48,
            fillMs: 15_000,
            mirrorMs: 10_000,
            leadMs: 3_000,
          },
          ways: names,
          windowsMs: [1_000, 5_000, 10_000, 30_000],
          tolerance,
        }),
  };
}

export function rivalsStages(options: SuiteOptions): readonly Stage[] {
  const settings = rivalsSettings(options);
  return [...startStages(settings), fillStage(settings), ...armStages(settings)];
}

export function fillStage({ fillMs }: RivalsSettings): Stage {
  return { text: 'app1 fills the cache of its replica', expectedMs: fillMs };
}

function armStages(settings: RivalsSettings): readonly Stage[] {
  return orderOf(settings).map(({ way, repetition }) => armStage(settings, way, repetition));
}

export function armStage(
  { windowsMs, repetitions, leadMs }: RivalsSettings,
  way: Way,
  repetition: number,
): Stage {
  return {
    text: `${way.title} (${Math.min(repetition, repetitions)} of ${repetitions})`,
    expectedMs: 15_000 + leadMs + way.expectedMs + (windowsMs.at(-1) ?? 0),
  };
}

/** Each repetition begins with the control, and one more stands at the end. */
export function orderOf({
  engine,
  repetitions,
  ways: names,
}: Pick<RivalsSettings, 'engine' | 'repetitions' | 'ways'>) {
  const oneRepetition = [control, ...waysOf(engine).filter(({ name }) => names.includes(name))];
  const all = Array.from({ length: repetitions }, (_, i) =>
    oneRepetition.map((way) => ({ way, repetition: i + 1 })),
  ).flat();
  return [...all, { way: control, repetition: repetitions + 1 }];
}
