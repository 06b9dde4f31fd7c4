import { type HeatScale, heldByHeat, type PoolMap, type RelationMap } from '../experiment/pool-map.ts';
import type { MigrationEvidence } from '../experiment/result.ts';
import { escapeMarkup, formatCount, formatPercent } from './format.ts';

/** From "not there" to the hottest. */
const heatColors = ['#f1f3f6', '#fde3c8', '#fbbf85', '#f58e4a', '#e2571e', '#9c2c0a'] as const;

const partWidth = 3;
const stripHeight = 16;

/** For each relation three strips, source, target before and after, and what of each heat the target holds. */
export function renderHeatMaps({ maps }: MigrationEvidence, scale: HeatScale): string {
  const ranks = scale.names.length;
  const drawn = (map: RelationMap) => strip(map, ranks);
  const names = maps.source.map(({ name }) => name).sort(byVmThenTable);
  const rows = names.map((name) => {
    const source = relation(maps.source, name);
    const before = relation(maps.before, name);
    const after = relation(maps.after, name);
    if (source === undefined || before === undefined || after === undefined) return '';
    const head = `<th rowspan="3" scope="rowgroup"><b>${escapeMarkup(name)}</b><br><span class="quiet">${source.kind}, ${formatCount(source.sizeBlocks)} blocks<br>${escapeMarkup(roleOf(name))}</span></th>`;
    return `<tbody>
<tr>${head}<td>source</td><td>${drawn(source)}</td><td class="n">${formatCount(source.residentBlocks)}</td>${'<td></td>'.repeat(ranks)}</tr>
<tr><td>target before</td><td>${drawn(before)}</td><td class="n">${formatCount(before.residentBlocks)}</td>${shares(source, before)}</tr>
<tr><td>target warmed</td><td>${drawn(after)}</td><td class="n">${formatCount(after.residentBlocks)}</td>${shares(source, after)}</tr>
</tbody>`;
  });
  return `<table class="heat">
<thead><tr><th>relation</th><th>where</th><th>its blocks, first to last</th><th>blocks in<br>the pool</th><th colspan="${ranks}">of the source's blocks of ${escapeMarkup(scale.ranks)}<br>the target holds</th></tr></thead>
${rows.join('\n')}
</table>
<p class="scale">${['not in the pool', ...scale.names].map((name, heat) => `<span style="background:${colorOf(heat, ranks)}"></span>${escapeMarkup(name)}`).join(' ')}</p>`;
}

function relation(map: PoolMap, name: string): RelationMap | undefined {
  return map.find((one) => one.name === name);
}

function byVmThenTable(left: string, right: string): number {
  return left.localeCompare(right);
}

function roleOf(name: string): string {
  if (name.startsWith('app1')) return 'of app1, which moves';
  if (name.startsWith('app2')) return 'of app2, which stays';
  return 'of app3, which lives at the target';
}

/** Equal neighbours are drawn as one. */
function strip({ strip: heats }: RelationMap, ranks: number): string {
  const rects: string[] = [];
  for (let start = 0; start < heats.length; ) {
    const color = colorOf(heats[start] ?? 0, ranks);
    let end = start + 1;
    while (end < heats.length && colorOf(heats[end] ?? 0, ranks) === color) end += 1;
    if (color !== heatColors[0]) {
      rects.push(
        `<rect x="${start * partWidth}" width="${(end - start) * partWidth}" height="${stripHeight}" fill="${color}"/>`,
      );
    }
    start = end;
  }
  const width = heats.length * partWidth;
  return `<svg class="strip" viewBox="0 0 ${width} ${stripHeight}" preserveAspectRatio="none"><rect width="${width}" height="${stripHeight}" fill="${heatColors[0]}"/>${rects.join('')}</svg>`;
}

/** Of a mean heat on a scale of so many ranks. */
function colorOf(heat: number, ranks: number): string {
  return heatColors[Math.min(5, Math.ceil((heat * 5) / ranks))] ?? heatColors[0];
}

function shares(source: RelationMap, target: RelationMap): string {
  return heldByHeat(source, target)
    .map((share) =>
      share === null
        ? '<td class="n quiet">–</td>'
        : `<td class="n" style="background:rgba(226,87,30,${(share * 0.55).toFixed(2)})">${formatPercent(share)}</td>`,
    )
    .join('');
}
