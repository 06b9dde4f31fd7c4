/** The newest reading of what seldom changes. */
export interface Remembered<T> {
  /** Reads anew. */
  readonly anew: () => Promise<T>;
  /** The last reading, or one under way; a failed one is forgotten. */
  readonly get: () => Promise<T>;
}

export function remembered<T>(read: () => Promise<T>): Remembered<T> {
  let known: Promise<T> | undefined;
  const anew = () => {
    const reading = read();
    known = reading;
    reading.catch(() => {
      if (known === reading) known = undefined;
    });
    return reading;
  };
  return { anew, get: () => known ?? anew() };
}
