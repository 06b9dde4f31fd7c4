/** What a metric's number counts in, as its name ends; `none` is a count, a state or a number of its own. */
export type Unit = 'seconds' | 'bytes' | 'blocks' | 'ratio' | 'none';

/** One metric as Prometheus sees it, and as the README's table shows it. */
export interface Declaration<Label extends string = string> {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: Unit;
  readonly help: string;
  readonly labels: readonly Label[];
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

type Facts<Label extends string> = Pick<Declaration, 'unit' | 'help' | 'buckets'> & {
  readonly labels?: readonly Label[];
};

const declare =
  (type: Declaration['type']) =>
  <const Label extends string = never>(name: string, facts: Facts<Label>): Declaration<Label> => ({
    name,
    type,
    labels: [],
    ...facts,
  });

export const counter = declare('counter');
export const gauge = declare('gauge');
export const histogram = declare('histogram');
