import { systemClock } from '../lib/clock.ts';
import type { Progress } from '../messages/event.ts';
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

/**
 * What is done while the last of a plan is read, so that ready need not wait for it afterwards: the source is
 * asked what the VM touched meanwhile, and once the goal is read, the target is measured against that, or against
 * what was planned by where the source takes longer.
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
  #measuring: Promise<void> | undefined;
  /** Part of the plan with which to measure next. */
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
    this.#enough = run.parts.config.warm.goal;
  }

  /** Told after each step of the reading; `leftMs`: what the rest will take. */
  step({ blocksDone, blocksTotal }: Progress, leftMs: number): void {
    // The next round measures soon enough by itself.
    if (this.#run.record.readyAt !== undefined || this.#over) return;
    const goneMs = systemClock.monotonicMs() - this.#beganMs;
    if (leftMs < nearMs && goneMs >= freshMs) this.#asked ??= this.#ask();
    const done = blocksDone / blocksTotal;
    // More is read while it is measured.
    const meanwhile = done * Math.min(1, this.#lookMs / goneMs);
    if (done + meanwhile < this.#enough || this.#measuring !== undefined) return;
    // Where it was not enough yet, for the source's heat has moved on: when half of what is left is there.
    this.#enough = (1 + done) / 2;
    this.#measuring = this.#measure(this.#answer ?? this.#planned).finally(() => {
      this.#measuring = undefined;
    });
  }

  /** The source's newest answer, if it was asked; nothing of this is under way any more then. */
  async settled(): Promise<SourceAnswer | undefined> {
    this.#over = true;
    await this.#asked;
    await this.#measuring;
    return this.#answer;
  }

  async #ask(): Promise<void> {
    this.#answer = await this.#askAnew();
  }

  /** Says ready by what is measured. Where it is not enough yet, or cannot be measured, a later step or the next round tells. */
  async #measure({ workSet }: SourceAnswer): Promise<void> {
    try {
      const { residency } = await look(workSet, this.#context);
      if (residency < this.#target.residency || this.#stop.aborted) return;
      this.#run.update({ residency: asRecorded(residency), warmed: this.#figures.warmed });
      await settleReady(this.#run, { residency, plan: this.#target.plan }, this.#stop);
    } catch (error) {
      this.#run.logger.debug({ error: (error as Error).message }, 'not measured while the last was read');
    }
  }
}
