import { escapeMarkup } from './format.ts';

export interface TextAt {
  readonly x: number;
  readonly y: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly color?: string;
  readonly weight?: number;
  readonly size?: number;
}

/** One `<text>` element; lengths in user units. */
export function svgText(at: TextAt, content: string): string {
  const { anchor = 'start', color = '#1f2937', weight = 400, size = 13 } = at;
  return `<text x="${at.x.toFixed(1)}" y="${at.y.toFixed(1)}" text-anchor="${anchor}" fill="${color}" font-weight="${weight}" font-size="${size}">${escapeMarkup(content)}</text>`;
}

/** A picture on a white ground, readable on light and on dark pages; `label` is for those who cannot see it. */
export function svgPicture(
  { width, height, label }: { readonly width: number; readonly height: number; readonly label: string },
  parts: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="${escapeMarkup(label)}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="#ffffff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}
