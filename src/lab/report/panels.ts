import type { Chart, ChartMark, Series } from './charts.ts';
import { niceStep, svgPicture, svgText } from './svg.ts';

/** Charts below each other under one title. */
export interface Column {
  readonly title: string;
  readonly charts: readonly Chart[];
}

const width = 900;
const frame = { left: 58, right: 884, gap: 20 };
const head = 112;
const foot = 34;
const plotHeight = 120;
/** Under each plot, for what stands along its axis. */
const below = 34;
const quiet = '#6b7280';
const shade = '#e8ecf2';

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/**
 * Columns side by side as one SVG picture. Charts that stand in one row have the same axes, and all columns have as many
 * charts.
 */
export function renderPanels(picture: {
  readonly title: string;
  /** What is seen, in a sentence, for those who cannot see it. */
  readonly label: string;
  readonly columns: readonly Column[];
  /** One line on where the figures come from. */
  readonly note: string;
}): string {
  const { title, label, columns, note } = picture;
  const charts = columns[0]?.charts ?? [];
  const height = head + charts.length * (plotHeight + below) + foot;
  const step = (frame.right - frame.left + frame.gap) / Math.max(1, columns.length);
  const drawn = columns.flatMap((column, x) => {
    const left = frame.left + x * step;
    const plots = column.charts.flatMap((chart, y) => {
      const top = head + y * (plotHeight + below);
      const box = { left, right: left + step - frame.gap, top, bottom: top + plotHeight };
      return drawChart(chart, box, { x, y });
    });
    return [svgText({ x: left, y: head - 10, weight: 600, size: 12 }, column.title), ...plots];
  });
  return svgPicture({ width, height, label }, [
    svgText({ x: frame.left, y: 30, weight: 700, size: 17 }, title),
    ...legend(charts),
    ...drawn,
    svgText({ x: frame.left, y: height - 14, color: quiet }, note),
  ]);
}

function legend(charts: readonly Chart[]): readonly string[] {
  const series = charts.flatMap((chart) => chart.series);
  const line = (one: Series, x: number) =>
    `<line x1="${x}" x2="${x + 26}" y1="58" y2="58" ${strokeOf(one)}/>`;
  const bands = new Set(charts.flatMap(({ bands: all = [] }) => all.flatMap(({ title }) => title ?? [])));
  const samples = [
    ...series.map((one) => ({ title: one.title, draw: (x: number) => line(one, x) })),
    ...[...bands].map((title) => ({
      title,
      draw: (x: number) => `<rect x="${x}" y="50" width="26" height="16" fill="${shade}"/>`,
    })),
  ];
  let x = frame.left;
  return samples.map(({ title, draw }) => {
    const at = x;
    x += 70 + 7 * title.length;
    return draw(at) + svgText({ x: at + 34, y: 62 }, title);
  });
}

/** The scale stands at the first of a row, the names of marks at the first of a column: the others have the same. */
function drawChart(
  chart: Chart,
  box: Box,
  place: { readonly x: number; readonly y: number },
): readonly string[] {
  const { values, unit: xUnit } = chart.x;
  const [from, to] = [Math.floor(values[0] ?? 0), Math.ceil(values.at(-1) ?? 1)];
  const known = chart.series.flatMap(({ values: all }) => all.filter((value) => value !== null));
  const most = chart.y.most ?? Math.max(1, ...known);
  const x = (at: number) => box.left + ((at - from) / (to - from)) * (box.right - box.left);
  const y = (value: number) => box.bottom - (value / most) * (box.bottom - box.top);
  const rows = multiples(0, most, niceStep(most / 4)).map((value) => {
    const at = y(value).toFixed(1);
    const line = `<line x1="${box.left}" x2="${box.right}" y1="${at}" y2="${at}" stroke="#e3e6eb"/>`;
    const text = `${value}${value === 0 ? chart.y.unit : ''}`;
    return (
      line +
      (place.x === 0 ? svgText({ x: box.left - 6, y: y(value) + 4, anchor: 'end', size: 11 }, text) : '')
    );
  });
  const ticks = multiples(from, to, niceStep((to - from) / 5)).map((value) =>
    svgText(
      { x: x(value), y: box.bottom + 15, anchor: 'middle', size: 11 },
      value === 0 ? '0' : `${value}${xUnit}`,
    ),
  );
  const bands = (chart.bands ?? []).map(
    (band) =>
      `<rect x="${x(band.from).toFixed(1)}" y="${box.top}" width="${(x(band.to) - x(band.from)).toFixed(1)}" height="${box.bottom - box.top}" fill="${shade}"/>`,
  );
  const marks = chart.marks ?? [];
  const lines = chart.series.map((one) => lineOf(one, values, { x, y }));
  return [
    ...[...bands, ...rows, ...ticks],
    ...marks.map((mark) => lineAt(mark, x(mark.at), box)),
    ...lines,
    ...(place.y === 0 ? marks.map((mark, at) => nameAt(mark, x(mark.at), { box, at })) : []),
  ];
}

const markColor = ({ color = '#374151' }: ChartMark): string => color;

function lineAt(mark: ChartMark, x: number, { top, bottom }: Box): string {
  const at = x.toFixed(1);
  return `<line x1="${at}" x2="${at}" y1="${top}" y2="${bottom}" stroke="${markColor(mark)}" stroke-dasharray="3 3"/>`;
}

/** Before the mark, or behind it where there is no room before; each mark's a line lower than the one before. */
function nameAt(mark: ChartMark, x: number, { box, at }: { readonly box: Box; readonly at: number }): string {
  const room = x - box.left > 40;
  const place = { x: room ? x - 4 : x + 4, y: box.bottom - 8 - 12 * at } as const;
  const look = { anchor: room ? 'end' : 'start', size: 11, color: markColor(mark) } as const;
  return svgText({ ...place, ...look }, mark.title);
}

/** A line for each stretch that has values. */
function lineOf(
  series: Series,
  at: readonly number[],
  { x, y }: { readonly x: (value: number) => number; readonly y: (value: number) => number },
): string {
  const stretches: string[][] = [[]];
  for (const [index, value] of series.values.entries()) {
    if (value === null) stretches.push([]);
    else stretches.at(-1)?.push(`${x(at[index] ?? 0).toFixed(1)},${y(value).toFixed(1)}`);
  }
  return stretches
    .filter((points) => points.length > 1)
    .map((points) => `<polyline points="${points.join(' ')}" fill="none" ${strokeOf(series)}/>`)
    .join('');
}

function strokeOf({ color, strong, dashed }: Series): string {
  const dash = dashed ? ' stroke-dasharray="6 4"' : '';
  return `stroke="${color}" stroke-width="${strong ? 2.5 : 1.5}" stroke-linejoin="round"${dash}`;
}

/** Of `step`, from the first that is `from` or more, up to `to`. */
function multiples(from: number, to: number, step: number): readonly number[] {
  const first = Math.ceil(from / step);
  const count = Math.max(0, Math.floor(to / step + 1e-9) - first + 1);
  return Array.from({ length: count }, (_, index) => (first + index) * step);
}
