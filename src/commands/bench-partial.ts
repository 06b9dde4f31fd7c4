import {
  type Incomplete,
  resultsOf,
  type Suite,
  type SuiteOptions,
  type SuiteOutcome,
} from '../bench/suite.ts';
import { withNotice } from '../lab/report/page.ts';
import { describeError } from '../lib/errors.ts';
import type { OutFolder } from './bench-out.ts';

/** What a suite has measured so far, for when it does not come to its end. */
export class PartialResults {
  readonly #of: { readonly suite: Suite; readonly options: SuiteOptions; readonly out: OutFolder };
  #outcome: (() => SuiteOutcome) | undefined;
  #stage: string | undefined;
  #written = false;

  constructor(of: { readonly suite: Suite; readonly options: SuiteOptions; readonly out: OutFolder }) {
    this.#of = of;
  }

  readonly onPartial = (outcome: () => SuiteOutcome): void => {
    this.#outcome = outcome;
  };

  /** What is under way. */
  enter(stage: string): void {
    this.#stage = stage;
  }

  /**
   * Writes results.json, marked as incomplete, and the report where one can be made of it; returns what to tell.
   * Only the first call does, for what follows it is of its making. Never throws.
   */
  write(reason: string): string {
    if (this.#written) return '';
    this.#written = true;
    const { suite, options, out } = this.#of;
    const stage = this.#stage;
    const incomplete: Incomplete = { reason, ...(stage === undefined ? {} : { stage }) };
    const during = stage === undefined ? '' : ` while: ${stage}`;
    if (this.#outcome === undefined) return `The benchmark ended early${during}; nothing was measured yet.\n`;
    try {
      const outcome = this.#outcome();
      const notice = `This run is incomplete: ${reason}${during}. What follows was measured before.`;
      const { withoutReport } = out.write(resultsOf(suite, options, { outcome, incomplete }), {
        report: () => withNotice(outcome.report(), notice),
      });
      const report = withoutReport === undefined ? '' : ` (no report can be made of it: ${withoutReport})`;
      return `The benchmark ended early${during}.\nWhat it had measured, marked as incomplete: ${out.path}${report}\n`;
    } catch (error) {
      return `The benchmark ended early${during}; what it had measured could not be written to ${out.path}: ${describeError(error).message}\n`;
    }
  }
}
