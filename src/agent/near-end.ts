import { systemClock } from '../lib/clock.ts';
import type { SourceAnswer } from './ask-source.ts';
import type { MigrationRun } from './migration-run.ts';
import type { ReadingFigures } from './reading-figures.ts';
import { settleReady } from './ready.ts';
import { asRecorded } from './record-figures.ts';
import { look, type RoundContext, type Situation } from './warming-round.ts';

/** Long enough for a source that is busy to walk its pool and to answer, and for a walk here. */
const nearMs = 1_000;
/** What the source told is as good as new until its plan has been read for so long; a walk of its pool is not free. */
const freshMs = 500;

/** What a look at the target has found, and how many blocks of the plan were in the pool at its end. */
interface Looked {
  readonly residency: number;
  readonly wantedBlocks: number;
  readonly done: number;
}

/**
 * What is done while the last of a plan is read, so that ready need not wait for it afterwards: the source is
 * asked what the VM touched meanwhile, and as the goal is about to be read, the target is measured against that, or
 * against what was planned by where the source takes longer. What is short of the goal then is counted as it is read.
 */
export class NearEnd {
  readonly #run: MigrationRun;
  readonly #context: RoundContext;
  readonly #figures: ReadingFigures;
  readonly #planned: SourceAnswer;
  readonly #askAnew: () => Promise<SourceAnswer>;
  readonly #target: Pick<Situation, 'plan' | 'residency'>;
  readonly #lookMs: number;
  readonly #stop: AbortSignal;
  readonly #beganMs = systemClock.monotonicMs();
  #asked: Promise<void> | undefined;
  #answer: SourceAnswer | undefined;
  #settling: Promise<void> | undefined;
  #looked: Looked | undefined;
  #done = 0;
  /** Part of the plan that is to be there when it is measured. */
  #enough: number;
  #over = false;

  constructor(
    run: MigrationRun,
    options: {
      readonly context: RoundContext;
      readonly figures: ReadingFigures;
      readonly planned: SourceAnswer;
      readonly askAnew: () => Promise<SourceAnswer>;
      /** The residency that is enough, and the plan that leads there. */
      readonly target: Pick<Situation, 'plan' | 'residency'>;
      /** What measuring the target took at last, in ms. */
      readonly lookMs: number;
      readonly stop: AbortSignal;
    },
  ) {
    this.#run = run;
    this.#context = options.context;
    this.#figures = options.figures;
    this.#planned = options.planned;
    this.#askAnew = options.askAnew;
    this.#target = options.target;
    this.#lookMs = options.lookMs;
    this.#stop = options.stop;
    this.#enough = options.context.goal;
  }

  /** Told after each step of the reading how much of the plan the pool has; `leftMs`: what the rest will take. */
  step(ofPool: ReadingFigures['ofPool'], leftMs: number): void {
    this.#done = ofPool.done;
    // The next round measures soon enough by itself.
    if (this.#run.record.readyAt !== undefined || this.#over) return;
    const goneMs = systemClock.monotonicMs() - this.#beganMs;
    if (leftMs < nearMs && goneMs >= freshMs) this.#asked ??= this.#ask();
    if (this.#settling !== undefined) return;
    const done = ofPool.done / ofPool.total;
    // More is read while it is measured.
    const meanwhile = done * Math.min(1, this.#lookMs / goneMs);
    const due = this.#looked === undefined ? done + meanwhile >= this.#enough : this.#isEnough;
    if (!due) return;
    // Where it cannot be measured: again when half of what is left is there.
    this.#enough = (1 + done) / 2;
    this.#settling = this.#settle().finally(() => {
      this.#settling = undefined;
    });
  }

  /** The source's newest answer, if it was asked; nothing of this is under way any more then. */
  async settled(): Promise<SourceAnswer | undefined> {
    this.#over = true;
    await this.#asked;
    await this.#settling;
    return this.#answer;
  }

  async #ask(): Promise<void> {
    this.#answer = await this.#askAnew();
  }

  /** Measures once, and says ready where that is enough. Else, or where it cannot be measured, a later step or the next round tells. */
  async #settle(): Promise<void> {
    try {
      this.#looked ??= await this.#look(this.#answer ?? this.#planned);
      if (!this.#isEnough || this.#stop.aborted) return;
      const residency = this.#residency;
      this.#run.update({ residency: asRecorded(residency), warmed: this.#figures.warmed });
      await settleReady(this.#run, { residency, plan: this.#target.plan }, this.#stop);
    } catch (error) {
      this.#run.logger.debug({ error: (error as Error).message }, 'not measured while the last was read');
    }
  }

  async #look({ workSet }: SourceAnswer): Promise<Looked> {
    const { residency, wantedBlocks } = await look(workSet, this.#context);
    return { residency, wantedBlocks, done: this.#done };
  }

  get #isEnough(): boolean {
    return this.#residency >= this.#target.residency;
  }

  /** As measured, with what was read since; 0 before. What is lost meanwhile is seen by the next round. */
  get #residency(): number {
    if (this.#looked === undefined) return 0;
    const { residency, wantedBlocks, done } = this.#looked;
    return Math.min(1, residency + (this.#done - done) / Math.max(1, wantedBlocks));
  }
}
