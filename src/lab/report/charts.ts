import { escapeMarkup } from './format.ts';

/** One line of a chart; null where there is no value. */
export interface Series {
  readonly title: string;
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly dashed?: boolean;
  /** Drawn wider than the others. */
  readonly strong?: boolean;
}

/** A moment in a chart: a dashed line with its name. */
export interface ChartMark {
  readonly title: string;
  readonly at: number;
  readonly color?: string;
}

/** A stretch of a chart that is shaded. */
export interface ChartBand {
  readonly from: number;
  readonly to: number;
  readonly title?: string;
}

/** A line chart over one axis of numbers. */
export interface Chart {
  /** Of its element; its own within a page. */
  readonly id: string;
  /** What stands along it, and what comes behind each of its numbers. */
  readonly x: { readonly title: string; readonly unit: string; readonly values: readonly number[] };
  readonly y: {
    /** Comes behind each value: `/s`, ` ms`. */
    readonly unit: string;
    /** Each line up is ten times as much. */
    readonly logarithmic?: boolean;
    /** The upper end; panels that are compared have the same one. Default: by the values. */
    readonly most?: number;
  };
  readonly series: readonly Series[];
  readonly marks?: readonly ChartMark[];
  readonly bands?: readonly ChartBand[];
  /** In pixels; default 320. */
  readonly height?: number;
}

/** Where the chart is drawn. */
export function chartElement({ id }: Chart): string {
  return `<div id="${escapeMarkup(id)}" class="chart"></div>`;
}

/** Runs in the browser that shows the page, after uPlot's own script; draws every chart into its element. */
export function chartsScript(charts: readonly Chart[]): string {
  return `const charts = ${JSON.stringify(charts).replaceAll('<', '\\u003c')};\n${drawScript}`;
}

const drawScript = `
function underlay(u, chart) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.fillStyle = '#dfe4ee';
  for (const { from, to } of chart.bands ?? []) {
    const left = Math.max(bbox.left, u.valToPos(from, 'x', true));
    const right = Math.min(bbox.left + bbox.width, Math.max(left + 2, u.valToPos(to, 'x', true)));
    if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
}
function overlay(u, chart) {
  const { ctx, bbox } = u;
  const named = [...(chart.bands ?? []).filter(({ title }) => title).map(({ title, from }) => ({ title, at: from, line: false })), ...(chart.marks ?? [])];
  ctx.save();
  ctx.textAlign = 'left';
  ctx.font = 12 * devicePixelRatio + 'px system-ui, sans-serif';
  for (const { title, at, color, line } of named) {
    const x = u.valToPos(at, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = color ?? '#374151';
    if (line !== false) {
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.fillText(title, x + 5 * devicePixelRatio, bbox.top + 14 * devicePixelRatio);
  }
  ctx.restore();
}
for (const chart of charts) {
  const element = document.getElementById(chart.id);
  const grid = { stroke: '#e9ecf0', width: 1 };
  const height = chart.height ?? 320;
  const size = () => ({ width: Math.max(200, element.clientWidth - 24), height });
  const plot = new uPlot({
    ...size(),
    series: [
      { label: chart.x.title, value: (_, v) => (v == null ? '–' : v.toLocaleString('en-US')) },
      ...chart.series.map(({ title, color, dashed, strong }) => ({
        label: title, stroke: color, width: strong ? 3 : 2.2,
        dash: dashed ? [7, 5] : undefined, points: { show: false },
        value: (_, v) => (v == null ? '–' : v.toLocaleString('en-US') + chart.y.unit),
      })),
    ],
    scales: { x: { time: false }, y: chart.y.logarithmic ? { distr: 3 } : { range: (_, low, high) => [0, chart.y.most ?? (high || 1) * 1.1] } },
    axes: [
      { stroke: '#6b7280', grid, values: (_, all) => all.map((v) => v + chart.x.unit) },
      { stroke: '#6b7280', grid, size: 72, values: (_, all) => all.map((v) => (v == null ? '' : v.toLocaleString('en-US'))) },
    ],
    hooks: { drawClear: [(u) => underlay(u, chart)], draw: [(u) => overlay(u, chart)] },
  }, [chart.x.values, ...chart.series.map(({ values }) => values)], element);
  addEventListener('resize', () => plot.setSize(size()));
}
`;
