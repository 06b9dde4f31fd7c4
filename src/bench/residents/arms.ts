import type { EngineKind } from '../../engines/engine.ts';
import { warmAhead } from '../../lab/experiment/arms.ts';
import type { Warming } from '../../lab/experiment/move.ts';
import { type Site, tableOf, vms } from '../../lab/experiment/site.ts';
import type { Way } from '../rivals/way.ts';
import { waysOf } from '../rivals/ways.ts';

/** What is called when a warming begins, and when it has ended: in between the residents are looked at. */
export interface Watch {
  readonly onBegin: () => void;
  readonly onReady: () => void;
}

/** One way of warming a target that others live on; the VM arrives behind it. */
export interface Arm extends Pick<Way, 'name' | 'title' | 'explained' | 'color' | 'control'> {
  /** Without one, nothing is warmed. */
  readonly warm?: (site: Site, watch: Watch, by: { readonly mirrorMs: number }) => Promise<Warming>;
  /** About how long the warming takes, in ms. */
  readonly expectedMs: (by: { readonly tableMb: number; readonly mirrorMs: number }) => number;
}

/** The residents alone: nobody warms and nobody comes. */
export const control: Arm = {
  name: 'undisturbed',
  title: 'undisturbed',
  explained: 'control: nobody warms anything and nobody comes',
  color: '#8b919c',
  control: true,
  expectedMs: () => 0,
};

const perMb = (ms: number) => (by: { readonly tableMb: number }) => ms * by.tableMb;

const cold: Arm = {
  name: 'cold',
  title: 'cold',
  explained: 'nothing is warmed; the VM comes all the same',
  color: '#3b6fd4',
  expectedMs: () => 0,
};

const forewarm: Arm = {
  name: 'forewarm',
  title: 'Forewarm',
  explained: 'as installed: within the free and cold buffers of the pool, throttled by what residents feel',
  color: '#e2571e',
  warm: (site, watch) => warmAhead(site, { vm: vms.mover, tables: [tableOf(vms.mover)], ...watch }),
  expectedMs: perMb(8),
};

/** Of the known ways, those that are told from each other by what they do to residents. */
const rivals: Readonly<Record<EngineKind, readonly string[]>> = {
  postgres: ['whole-table', 'select', 'mirror-10'],
  mariadb: ['whole-table', 'dump-whole', 'mirror-10'],
  mysql: ['whole-table', 'dump-whole', 'mirror-10'],
};

/** In the order of a repetition, the control not among them. */
export function armsOf(engine: EngineKind): readonly Arm[] {
  return [cold, forewarm, ...rivals[engine].map((name) => rival(engine, name))];
}

function rival(engine: EngineKind, name: string): Arm {
  const way = waysOf(engine).find((one) => one.name === name);
  if (way === undefined) throw new Error(`there is no way ${name}`);
  const { title, explained, color } = way;
  return {
    ...{ name, title, explained, color },
    expectedMs: name.startsWith('mirror') ? ({ mirrorMs }) => mirrorMs : perMb(12),
    async warm(site, watch, { mirrorMs }) {
      const before = await site.targetReads();
      const startMs = Date.now();
      watch.onBegin();
      await way.warm?.({ site, mirrorMs, forewarmMs: 0 });
      watch.onReady();
      const endMs = Date.now();
      const { bytes, operations } = await site.targetReads();
      return {
        readyMs: endMs - startMs,
        bytesRead: bytes - before.bytes,
        operationsRead: operations === undefined ? undefined : operations - (before.operations ?? 0),
        marks: [{ name: 'ready', atMs: endMs }],
      };
    },
  };
}
