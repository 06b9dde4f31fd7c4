import type { Chart, Series } from './charts.ts';
import { niceStep, svgPicture, svgText } from './svg.ts';

export interface Panel {
  readonly title: string;
  readonly chart: Chart;
}

const width = 900;
const columnCount = 2;
const head = 84;
const foot = 34;
const panelHeight = 210;
/** Within a panel. */
const plot = { left: 52, right: 432, top: 30, bottom: 172 };
const quiet = '#6b7280';

/** Charts of the same series and axes, two in a row, as one SVG picture. */
export function renderPanels(picture: {
  readonly title: string;
  /** What is seen, in a sentence, for those who cannot see it. */
  readonly label: string;
  readonly panels: readonly Panel[];
  /** One line on where the figures come from. */
  readonly note: string;
}): string {
  const { title, label, panels, note } = picture;
  const height = head + Math.ceil(panels.length / columnCount) * panelHeight + foot;
  const drawn = panels.map((panel, index) => {
    const x = ((index % columnCount) * width) / columnCount;
    const y = head + Math.floor(index / columnCount) * panelHeight;
    return `<g transform="translate(${x} ${y})">${drawPanel(panel).join('')}</g>`;
  });
  return svgPicture({ width, height, label }, [
    svgText({ x: plot.left, y: 30, weight: 700, size: 17 }, title),
    ...legend(panels[0]?.chart.series ?? []),
    ...drawn,
    svgText({ x: plot.left, y: height - 14, color: quiet }, note),
  ]);
}

function legend(series: readonly Series[]): readonly string[] {
  return series.map((one, index) => {
    const x = plot.left + index * 200;
    const line = `<line x1="${x}" x2="${x + 26}" y1="58" y2="58" ${strokeOf(one)}/>`;
    return line + svgText({ x: x + 34, y: 62 }, one.title);
  });
}

function drawPanel({ title, chart }: Panel): readonly string[] {
  const { values, unit: xUnit } = chart.x;
  const [from, to] = [Math.floor(values[0] ?? 0), Math.ceil(values.at(-1) ?? 1)];
  const known = chart.series.flatMap(({ values: all }) => all.filter((value) => value !== null));
  const most = chart.y.most ?? Math.max(1, ...known);
  const x = (at: number) => plot.left + ((at - from) / (to - from)) * (plot.right - plot.left);
  const y = (value: number) => plot.bottom - (value / most) * (plot.bottom - plot.top);
  const rows = multiples(0, most, niceStep(most / 4)).map(
    (value) =>
      `<line x1="${plot.left}" x2="${plot.right}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="#e3e6eb"/>` +
      svgText(
        { x: plot.left - 6, y: y(value) + 4, anchor: 'end', size: 11 },
        `${value}${value === 0 ? chart.y.unit : ''}`,
      ),
  );
  const ticks = multiples(from, to, niceStep((to - from) / 8)).map((value) =>
    svgText(
      { x: x(value), y: plot.bottom + 16, anchor: 'middle', size: 11 },
      `${value}${value === 0 ? '' : xUnit}`,
    ),
  );
  const bands = (chart.bands ?? []).map(
    (band) =>
      `<rect x="${x(band.from).toFixed(1)}" y="${plot.top}" width="${(x(band.to) - x(band.from)).toFixed(1)}" height="${plot.bottom - plot.top}" fill="#eef1f5"/>` +
      svgText({ x: x(band.from) + 4, y: plot.bottom - 6, size: 11, color: quiet }, band.title ?? ''),
  );
  const marks = (chart.marks ?? []).map((mark) => {
    const at = x(mark.at);
    return (
      `<line x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${plot.top}" y2="${plot.bottom}" stroke="${mark.color ?? '#374151'}" stroke-dasharray="3 3"/>` +
      svgText(
        { x: at - 4, y: plot.top + 11, anchor: 'end', size: 11, color: mark.color ?? '#374151' },
        mark.title,
      )
    );
  });
  const lines = chart.series.map((one) => lineOf(one, values, { x, y }));
  const heading = svgText({ x: plot.left, y: 18, weight: 600 }, title);
  return [heading, ...bands, ...rows, ...ticks, ...marks, ...lines];
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
