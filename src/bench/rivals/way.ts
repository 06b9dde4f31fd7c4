import type { Warming } from '../../lab/experiment/move.ts';
import type { Site } from '../../lab/experiment/site.ts';

/** What the ways need to know of each other. */
export interface WayContext {
  readonly site: Site;
  /** How long a mirror runs, in ms. */
  readonly mirrorMs: number;
  /** How long Forewarm took last, in ms. */
  readonly forewarmMs: number;
}

/** A way that takes longer than this ends the benchmark: whole tables take minutes where a disk makes 200 reads a second. */
export const longestMs = 600_000;

/** One way of warming a target before a VM comes, as an operator would do it. */
export interface Way {
  readonly name: string;
  readonly title: string;
  readonly explained: string;
  readonly color: string;
  /** Without one, nothing is warmed. */
  readonly warm?: (context: WayContext) => Promise<Warming | undefined>;
  /** The control: the target has served the VM all along. */
  readonly control?: true;
  /** Forewarm as installed: all others are its rivals. */
  readonly subject?: true;
  /** Why it cannot be done here; undefined when it can. */
  readonly missing?: (site: Site) => Promise<string | undefined>;
  /** Called once, before the first run of any way. */
  readonly prepare?: (site: Site) => Promise<void>;
  /** Takes back what it did to the site, when its run is over. */
  readonly restore?: (site: Site) => Promise<void>;
  /** About how long it takes, in ms. */
  readonly expectedMs: number;
}

/** Of the statements at the source that its log tells. */
export const sampledShare = 0.1;
export const replayed = { most: 10_000, connections: 4 };
