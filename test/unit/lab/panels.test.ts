import { expect, test } from 'vitest';
import { type Column, renderPanels } from '../../../src/lab/report/panels.ts';

const panel = (title: string, values: readonly (number | null)[]): Column => ({
  title,
  charts: [
    {
      id: 'any',
      x: { title: 's', unit: ' s', values: [-1.5, -0.5, 0.5, 1.5] },
      y: { unit: ' MB/s', most: 10 },
      series: [
        { title: 'read by a VM', color: '#e2571e', values, strong: true },
        { title: "target's disk", color: '#3b6fd4', values: [0, 0, 5, 10], dashed: true },
      ],
      bands: [{ from: 0, to: 1, title: 'migration' }],
      marks: [{ title: 'switch', at: 1 }],
    },
  ],
});
const picture = (columns: readonly Column[]) =>
  renderPanels({ title: 'Six VMs', label: 'A & B', columns, note: 'PostgreSQL <18>' });

/** The points of each line, in the order of drawing. */
const linesOf = (svg: string) =>
  [...svg.matchAll(/<polyline points="([^"]+)"/g)].map(([, points]) =>
    points!.split(' ').map((point) => point.split(',').map(Number)),
  );

test('every panel has its title, its lines, the migration and the switch', () => {
  const svg = picture([panel('(a) cold', [1, 2, 3, 4]), panel('(b) warm', [4, 3, 2, 1])]);
  expect(linesOf(svg)).toHaveLength(4);
  for (const title of ['(a) cold', '(b) warm', 'A &#38; B', 'PostgreSQL &#60;18&#62;'])
    expect(svg).toContain(title);
  expect(svg.match(/>switch</g)).toHaveLength(2);
  // The legend stands once, for all panels.
  expect(svg.match(/>migration</g)).toHaveLength(1);
  expect(svg.match(/>read by a VM</g)).toHaveLength(1);
  // And so does the scale.
  expect(svg.match(/>0 MB\/s</g)).toHaveLength(1);
  expect(svg).not.toMatch(/NaN|undefined/);
});

test('a line rises with its values, on the scale that all panels have, and is broken where there are none', () => {
  const [read, disk, ...more] = linesOf(picture([panel('(a)', [1, 2, null, 10])]));
  // What stands alone is no line.
  expect(more).toEqual([]);
  expect(read).toHaveLength(2);
  const heights = disk!.map(([, y]) => y!);
  expect(heights[0]).toBe(heights[1]);
  expect(heights[1]! - heights[2]!).toBeCloseTo(heights[2]! - heights[3]!, 0);
  expect(heights[0]! - read![0]![1]!).toBeCloseTo((heights[0]! - heights[3]!) / 10, 0);
});

test('charts of a column stand below each other', () => {
  const of = (...columns: readonly Column[]) => Number(/viewBox="0 0 \d+ (\d+)"/.exec(picture(columns))![1]);
  const one = panel('(a)', [1, 2, 3, 4]);
  const two = { ...one, charts: [...one.charts, ...one.charts] };
  expect(of(one, one)).toBe(of(one));
  expect(of(two)).toBeGreaterThan(of(one));
});
