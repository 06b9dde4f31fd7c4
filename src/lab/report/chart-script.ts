/**
 * Runs in the browser that shows a report: draws the two charts with uPlot from `data` (a timeline with the
 * arms' looks and the marks).
 */
export const chartScript = `
const marks = [...data.marks, { name: 'switch', atS: 0 }];
const labels = { intent: 'intent', ready: 'ready', switch: 'switch' };
function drawMarks(u) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.textAlign = 'left';
  ctx.font = 12 * devicePixelRatio + 'px system-ui, sans-serif';
  for (const { name, atS } of marks) {
    const x = u.valToPos(atS, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const own = name !== 'switch';
    ctx.strokeStyle = ctx.fillStyle = own ? '#e2571e' : '#374151';
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(labels[name], x + 5 * devicePixelRatio, bbox.top + 14 * devicePixelRatio);
  }
  ctx.restore();
}
function chart(id, values, scale, unit) {
  const element = document.getElementById(id);
  const grid = { stroke: '#e9ecf0', width: 1 };
  const series = data.arms.map(({ name, title, color }) => ({
    label: title, stroke: color, width: name === 'forewarm' ? 3 : 2.2,
    dash: name === 'warm' ? [7, 5] : undefined, points: { show: false },
    value: (_, v) => (v == null ? '–' : v.toLocaleString('en-US') + unit),
  }));
  const plot = new uPlot({
    width: element.clientWidth - 24, height: 320,
    series: [{ label: 's from the switch', value: (_, v) => (v == null ? '–' : v.toFixed(1)) }, ...series],
    scales: { x: { time: false }, y: scale },
    axes: [
      { stroke: '#6b7280', grid, values: (_, all) => all.map((v) => v + ' s') },
      { stroke: '#6b7280', grid, size: 72, values: (_, all) => all.map((v) => (v == null ? '' : v.toLocaleString('en-US'))) },
    ],
    hooks: { draw: [drawMarks] },
  }, [data.atS, ...data.arms.map(({ name }) => values[name] ?? [])], element);
  addEventListener('resize', () => plot.setSize({ width: element.clientWidth - 24, height: 320 }));
}
chart('throughput', data.tps, { range: (_, low, high) => [0, (high ?? 1) * 1.1] }, '/s');
chart('latency', data.p99Ms, { distr: 3 }, ' ms');
`;
