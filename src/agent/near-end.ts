import type { Progress } from '../messages/event.ts';
import type { SourceAnswer } from './ask-source.ts';
import type { MigrationRun } from './migration-run.ts';
import { settleReady } from './ready.ts';
import { look, type RoundContext } from './warming-round.ts';

/** Long enough for a source to walk its pool and to answer. */
const nearMs = 600;

/**
 * What is done while the last of a plan is read, so that ready need not wait for it afterwards: the source is
 * asked what the VM touched meanwhile, and once the goal is read, the target is measured against that.
 */
export class NearEnd {
  readonly #run: MigrationRun;
  readonly #context: RoundContext;
  readonly #askAnew: () => Promise<SourceAnswer>;
  readonly #stop: AbortSignal;
  #asked: Promise<void> | undefined;
  #answer: SourceAnswer | undefined;
  #measured: Promise<void> | undefined;

  constructor(
    run: MigrationRun,
    options: {
      readonly context: RoundContext;
      readonly askAnew: () => Promise<SourceAnswer>;
      readonly stop: AbortSignal;
    },
  ) {
    this.#run = run;
    this.#context = options.context;
    this.#askAnew = options.askAnew;
    this.#stop = options.stop;
  }

  /** Told after each step of the reading; `leftMs`: what the rest will take. */
  step({ blocksDone, blocksTotal }: Progress, leftMs: number): void {
    if (this.#run.record.readyAt !== undefined) return;
    if (leftMs < nearMs) {
      this.#asked ??= this.#askAnew().then((answer) => {
        this.#answer = answer;
      });
    }
    if (this.#answer !== undefined && blocksDone >= this.#run.parts.config.warm.goal * blocksTotal) {
      this.#measured ??= this.#measure(this.#answer);
    }
  }

  /** The source's newest answer, if it was asked; nothing of this is under way any more then. */
  async settled(): Promise<SourceAnswer | undefined> {
    await this.#asked;
    await this.#measured;
    return this.#answer;
  }

  /** Says ready by what is measured. Where it is not enough yet, or cannot be measured, the next round tells. */
  async #measure({ workSet }: SourceAnswer): Promise<void> {
    try {
      const { residency, unbounded } = await look(workSet, this.#context);
      if (residency < this.#run.parts.config.warm.goal || this.#stop.aborted) return;
      this.#run.update({ residency: Math.round(residency * 10_000) / 10_000 });
      await settleReady(this.#run, { residency, plan: unbounded }, this.#stop);
    } catch (error) {
      this.#run.logger.debug({ error: (error as Error).message }, 'not measured while the last was read');
    }
  }
}
