/** Up to where a server's sessions can see writes. */
export interface WalPosition {
  readonly lsn: bigint;
  /** Positions of two systems cannot be compared. */
  readonly systemId: string;
  readonly isInRecovery: boolean;
}

/** Of a page's header in the write-ahead log: of an ordinary page, and of a segment's first. */
const headerBytes: readonly bigint[] = [24n, 40n];

/** `16/B374D848` as a number. */
export function parseLsn(text: string): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  if (match === null) throw new Error(`not a position in a write-ahead log: ${text}`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/**
 * The end of the last record before an insert position. Where the next record would begin just behind a page's
 * header, the last one ended before that header, and no standby reports more until something else is written.
 */
export function endOfRecord(insertLsn: bigint, walBlockBytes: number): bigint {
  const offset = insertLsn % BigInt(walBlockBytes);
  return headerBytes.includes(offset) ? insertLsn - offset : insertLsn;
}
