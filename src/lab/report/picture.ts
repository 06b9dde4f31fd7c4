import type { ArmName } from '../experiment/result.ts';
import type { Experiment } from '../experiment/run-experiment.ts';
import { armLooks, timelineOf } from './arms.ts';
import { formatCount } from './format.ts';
import { niceStep, svgPicture, svgText as text } from './svg.ts';

const size = { width: 900, height: 400 };
const frame = { left: 70, right: 880, top: 76, bottom: 340 };
const span = { fromS: -2, toS: 10, binS: 0.2 };
/** Drawn in this order: what matters most lies on top. */
const drawn: readonly ArmName[] = ['warm', 'cold', 'forewarm'];

/** The arms' throughput around the switch as one SVG picture that is readable on light and on dark pages. */
export function renderPicture(experiment: Experiment): string {
  const { atS, tps } = timelineOf(experiment.runs, span);
  const peak = Math.max(1, ...drawn.flatMap((name) => (tps[name] ?? []).map((value) => value ?? 0)));
  const step = niceStep(peak / 4);
  const top = Math.ceil((peak * 1.02) / step) * step;
  const x = (seconds: number) =>
    frame.left + ((seconds - span.fromS) / (span.toS - span.fromS)) * (frame.right - frame.left);
  const y = (value: number) => frame.bottom - (value / top) * (frame.bottom - frame.top);
  const lines = drawn.map((name) => {
    const points = (tps[name] ?? [])
      .map((value, i) => (value === null ? '' : `${x(atS[i] ?? 0).toFixed(1)},${y(value).toFixed(1)}`))
      .filter((point) => point !== '')
      .join(' ');
    const dash = name === 'warm' ? ' stroke-dasharray="6 4"' : '';
    return `<polyline points="${points}" fill="none" stroke="${armLooks[name].color}" stroke-width="3" stroke-linejoin="round"${dash}/>`;
  });
  const grid = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step).map(
    (value) =>
      `<line x1="${frame.left}" x2="${frame.right}" y1="${y(value)}" y2="${y(value)}" stroke="#e3e6eb"/>` +
      text({ x: frame.left - 8, y: y(value) + 4, anchor: 'end' }, formatCount(value)),
  );
  const ticks = Array.from({ length: span.toS - span.fromS + 1 }, (_, i) => span.fromS + i).map((second) =>
    text({ x: x(second), y: frame.bottom + 20, anchor: 'middle' }, second === 0 ? '0' : `${second} s`),
  );
  const legend = (['cold', 'forewarm', 'warm'] as const).map((name, i) => {
    const left = frame.left + i * 190;
    const first = experiment.document.arms.find((arm) => arm.name === name)?.first1s.tps ?? 0;
    return (
      `<line x1="${left}" x2="${left + 26}" y1="54" y2="54" stroke="${armLooks[name].color}" stroke-width="4"/>` +
      text({ x: left + 34, y: 50, weight: 600 }, armLooks[name].title) +
      text({ x: left + 34, y: 65, color: '#6b7280' }, `first second: ${formatCount(first)}/s`)
    );
  });
  const label =
    'Reads per second of the moving VM around its switch to another replica: without Forewarm, with it, and on a replica that was always warm';
  return svgPicture({ ...size, label }, [
    text(
      { x: frame.left, y: 28, weight: 700, size: 17 },
      'Reads per second of app1 around its switch to another replica',
    ),
    ...legend,
    ...grid,
    ...ticks,
    `<line x1="${x(0)}" x2="${x(0)}" y1="${frame.top}" y2="${frame.bottom}" stroke="#374151" stroke-dasharray="3 3"/>`,
    text({ x: x(0) - 6, y: frame.bottom - 8, anchor: 'end', color: '#374151' }, 'switch'),
    ...lines,
    text({ x: frame.left, y: size.height - 14, color: '#6b7280' }, describeSetting(experiment)),
  ]);
}

/** One line on where the figures come from. */
export function describeSetting({ document, device, database }: Experiment): string {
  const { profile } = document.device;
  const disk = device.throttled
    ? `disk limited to ${deviceNames[profile]}`
    : "the machine's own disk, not limited";
  const workSet = `work set ${Math.round(document.workSet.bytes / 1e6)} MB`;
  return `${database.title} ${database.version}, ${workSet}, ${disk}`;
}

const deviceNames = {
  gp3: '125 MB/s and 3,000 operations/s',
  hdd: '100 MB/s and 200 operations/s',
  even: '100 MB/s',
  none: 'nothing',
} as const;
