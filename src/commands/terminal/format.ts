/** `342 MB`, decimal as disks are sold. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

/** `0 ms`, `850 ms`, `3.6 s`, `2 min 5 s`, `3 h 10 min`, `2 d 4 h`. */
export function formatMs(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const size = Math.abs(ms);
  if (size < 999.5) return `${sign}${Math.round(size)} ms`;
  if (size < 59_950) return `${sign}${(size / 1000).toFixed(1)} s`;
  const pairs = [
    { unit: 'd', ms: 86_400_000, below: 'h', belowMs: 3_600_000 },
    { unit: 'h', ms: 3_600_000, below: 'min', belowMs: 60_000 },
    { unit: 'min', ms: 60_000, below: 's', belowMs: 1_000 },
  ];
  const rounded = Math.round(size / 1000) * 1000;
  const { unit, ms: unitMs, below, belowMs } = pairs.find((pair) => rounded >= pair.ms) ?? pairs[2]!;
  const whole = Math.floor(rounded / unitMs);
  const rest = Math.floor((rounded - whole * unitMs) / belowMs);
  return `${sign}${whole} ${unit}${rest === 0 ? '' : ` ${rest} ${below}`}`;
}

/** `95.0 %`; `–` when unknown. */
export function formatShare(share: number | undefined): string {
  return share === undefined ? '–' : `${(share * 100).toFixed(1)} %`;
}

/** `–` for what is not known. */
export function formatMaybe<T>(value: T | undefined | null, format: (value: T) => string): string {
  return value === undefined || value === null ? '–' : format(value);
}

/** The time of day in UTC, with milliseconds. */
export function formatTime(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : date.toISOString().slice(11, 23);
}
