/** A column's value as the driver gives it: numbers and times as text. */
export type KeyValue = string | number | Buffer;

/**
 * How values between two others are found. `float`: of four bytes, whose text is not its value. `opaque`: not at all,
 * but the column may still bound a range.
 */
export type ValueType =
  | 'integer'
  | 'number'
  | 'float'
  | 'date'
  | 'datetime'
  | 'text'
  | 'uuid'
  | 'binary'
  | 'opaque';

const types: Readonly<Record<string, ValueType>> = {
  tinyint: 'integer',
  smallint: 'integer',
  mediumint: 'integer',
  int: 'integer',
  bigint: 'integer',
  year: 'integer',
  decimal: 'number',
  float: 'float',
  double: 'number',
  date: 'date',
  datetime: 'datetime',
  timestamp: 'datetime',
  char: 'text',
  varchar: 'text',
  uuid: 'uuid',
  binary: 'binary',
  varbinary: 'binary',
};

/** By `information_schema.COLUMNS.DATA_TYPE`. */
export const valueTypeOf = (dataType: string): ValueType => types[dataType.toLowerCase()] ?? 'opaque';

/**
 * A value about `at` (0 to 1) of the way from one to the other; undefined where the type, or these values, give
 * none. It need not exist in the table, nor lie between them by the column's collation.
 */
export function interpolate(
  type: ValueType,
  low: KeyValue,
  high: KeyValue,
  at: number,
): KeyValue | undefined {
  switch (type) {
    case 'integer': {
      const [from, to] = [BigInt(String(low)), BigInt(String(high))];
      return String(from + ((to - from) * BigInt(Math.round(at * 1e6))) / 1_000_000n);
    }
    case 'number':
    case 'float':
      return finite(Number(low) + (Number(high) - Number(low)) * at);
    case 'date':
    case 'datetime': {
      const [from, to] = [milliseconds(low), milliseconds(high)];
      const middle = new Date(from + (to - from) * at);
      if (Number.isNaN(middle.getTime())) return undefined;
      return middle
        .toISOString()
        .replace('T', ' ')
        .slice(0, type === 'date' ? 10 : 23);
    }
    case 'text':
      return betweenText(String(low), String(high), at);
    case 'uuid':
      return betweenUuids(String(low), String(high), at);
    case 'binary':
      return Buffer.isBuffer(low) && Buffer.isBuffer(high) ? betweenBytes(low, high, at) : undefined;
    default:
      return undefined;
  }
}

/**
 * Whether every value that `interpolate` finds between these two stands between them in an index, whatever its
 * collation: all of them order digits and lower-case letters alike, and little else.
 */
export function isOrdered(type: ValueType, low: KeyValue, high: KeyValue): boolean {
  if (type === 'opaque') return false;
  if (type !== 'text') return true;
  return alphabetOf(countedOf(String(low), String(high))) !== printable;
}

function finite(value: number): string | undefined {
  return Number.isFinite(value) ? String(value) : undefined;
}

function milliseconds(value: KeyValue): number {
  return Date.parse(`${String(value).replace(' ', 'T')}${String(value).includes(':') ? 'Z' : ''}`);
}

/** Digits that are told apart after what both have in common. */
const countedDigits = 6;

const digits = '0123456789';
const lower = 'abcdefghijklmnopqrstuvwxyz';
const hexadecimal = `${digits}abcdef`;
const printable = Array.from({ length: 0x5f }, (_, at) => String.fromCharCode(0x20 + at)).join('');
/** The narrowest that has all the characters serves: most keys are numbers written out, or hexadecimal. */
const alphabets = [digits, hexadecimal, `${digits}ABCDEF`, lower, `${digits}${lower}`, printable];

/** As much of a value as `interpolate` uses of it between these two. */
export function counted(type: ValueType, value: KeyValue, low: KeyValue, high: KeyValue): KeyValue {
  if (type === 'text') return String(value).slice(0, commonText(String(low), String(high)) + countedDigits);
  if (!Buffer.isBuffer(value) || !Buffer.isBuffer(low) || !Buffer.isBuffer(high)) return value;
  return value.subarray(0, commonLength(low, high, (bytes, at) => bytes[at]) + countedDigits);
}

const commonText = (low: string, high: string): number =>
  commonLength(low, high, (text, index) => text[index]);

/** The characters of both by which they are told apart. */
function countedOf(low: string, high: string): string {
  const common = commonText(low, high);
  return low.slice(common, common + countedDigits) + high.slice(common, common + countedDigits);
}

function alphabetOf(counted: string, least = digits): string {
  const wide = alphabets.slice(alphabets.indexOf(least));
  return wide.find((one) => [...counted].every((char) => one.includes(char))) ?? printable;
}

function betweenText(low: string, high: string, at: number, least = digits): string {
  const common = commonText(low, high);
  const alphabet = alphabetOf(countedOf(low, high), least);
  const digit = (text: string, index: number) => Math.max(0, alphabet.indexOf(text[index] ?? ''));
  const middle = between({ low, high, digit, base: alphabet.length, from: common, at });
  return low.slice(0, common) + middle.map((one) => alphabet[one]).join('');
}

/**
 * MariaDB orders its type by the last of the five groups first and the first one last, but for versions from 6 on,
 * which come after all others and in the order in which they are written.
 */
function betweenUuids(low: string, high: string, at: number): string | undefined {
  const [from, to] = [low, high].map((text) => text.split('-'));
  if (from?.length !== 5 || to?.length !== 5) return undefined;
  const asWritten = from[2]![0]! >= '6';
  if (asWritten !== to[2]![0]! >= '6') return undefined;
  const ordered = (groups: readonly string[]) => (asWritten ? groups : [...groups].reverse()).join('');
  const start = ordered(from);
  const middle = betweenText(start, ordered(to), at, hexadecimal);
  // What is left of the lower one keeps version and variant, where these do not differ.
  const whole = middle + start.slice(middle.length);
  const lengths = asWritten ? [8, 4, 4, 4, 12] : [12, 4, 4, 4, 8];
  let end = 0;
  const groups = lengths.map((length) => {
    end += length;
    return whole.slice(end - length, end);
  });
  return (asWritten ? groups : groups.reverse()).join('-');
}

function betweenBytes(low: Buffer, high: Buffer, at: number): Buffer {
  const digit = (bytes: Buffer, index: number) => bytes[index] ?? 0;
  const common = commonLength(low, high, digit);
  const middle = between({ low, high, digit, base: 256, from: common, at });
  return Buffer.concat([low.subarray(0, common), Buffer.from(middle)]);
}

function commonLength<T extends { readonly length: number }>(
  low: T,
  high: T,
  digit: (of: T, index: number) => unknown,
): number {
  const most = Math.min(low.length, high.length);
  let common = 0;
  while (common < most && digit(low, common) === digit(high, common)) common++;
  return common;
}

/** Digits of the number that lies at `at` between two, as they are written from `from` on. */
function between<T>(options: {
  readonly low: T;
  readonly high: T;
  readonly digit: (of: T, index: number) => number;
  readonly base: number;
  readonly from: number;
  readonly at: number;
}): number[] {
  const { low, high, digit, base, from, at } = options;
  const value = (of: T) => {
    let sum = 0;
    for (let index = 0; index < countedDigits; index++) sum = sum * base + digit(of, from + index);
    return sum;
  };
  let middle = Math.floor(value(low) + (value(high) - value(low)) * at);
  const found = new Array<number>(countedDigits).fill(0);
  for (let index = countedDigits - 1; index >= 0; index--) {
    found[index] = Math.max(0, middle % base);
    middle = Math.floor(middle / base);
  }
  return found;
}
