import type { ArmFigures } from '../lab/experiment/result.ts';
import type { Experiment } from '../lab/experiment/run-experiment.ts';
import { figureColumns } from '../lab/report/arms.ts';
import { escapeMarkup, formatMegabytes } from '../lab/report/format.ts';
import { type Goal, showCertainty, showSpread } from './goals.ts';
import type { ReadySteps } from './ready-steps.ts';

export interface Column<Row> {
  readonly title: string;
  readonly right?: boolean;
  readonly value: (row: Row) => string;
}
/** For a terminal. */
export type RenderTable = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]) => string;

export const goalColumns: readonly Column<Goal>[] = [
  { title: 'figure to reach', value: ({ figure }) => figure },
  { title: 'limit', right: true, value: ({ limit }) => limit },
  { title: 'median (least to greatest)', right: true, value: showSpread },
  { title: 'with 95 % certainty', right: true, value: showCertainty },
  { title: 'met', value: ({ met }) => (met === 'no' ? 'NO' : met) },
];

const ms = (value: number) => `${Math.round(value)} ms`;
export const stepColumns: readonly Column<ReadySteps>[] = [
  { title: 'accepted', right: true, value: ({ acceptedMs }) => ms(acceptedMs) },
  { title: 'work set and plan', right: true, value: ({ plannedMs }) => ms(plannedMs) },
  { title: 'reading', right: true, value: ({ readingMs }) => ms(readingMs) },
  { title: 'of it throttled', right: true, value: ({ throttledMs }) => ms(throttledMs) },
  { title: 'rest', right: true, value: ({ restMs }) => ms(restMs) },
  { title: 'wanted', right: true, value: ({ bytesWanted }) => formatMegabytes(bytesWanted) },
  { title: 'with gaps', right: true, value: ({ bytesPlanned }) => formatMegabytes(bytesPlanned) },
  { title: 'from the disk', right: true, value: ({ bytesRead }) => formatMegabytes(bytesRead) },
  { title: 'operations', right: true, value: ({ operations }) => String(operations ?? '–') },
];

export const armColumns: readonly Column<ArmFigures>[] = figureColumns.map(({ title, value }, i) => ({
  ...{ title, value },
  right: i > 0,
}));

/** Each arm as it was, without what the pools held page by page. */
export function runsOf(runs: Experiment['runs']) {
  return runs.map(({ migration, ...run }) => ({
    ...run,
    ...(migration === undefined
      ? {}
      : {
          record: migration.record,
          operationsRead: migration.operationsRead,
          strangerBlocks: migration.strangerBlocks,
        }),
  }));
}

/** For a report. */
export function htmlTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const head = columns.map(({ title }) => `<th>${escapeMarkup(title)}</th>`).join('');
  const body = rows.map(
    (row) =>
      `<tr>${columns.map(({ value, right }) => `<td${right ? ' class="n"' : ''}>${escapeMarkup(value(row))}</td>`).join('')}</tr>`,
  );
  return `<div class="wide"><table class="figures"><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}
