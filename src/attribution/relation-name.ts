/** A relation's name within a server as one key; no identifier holds a NUL. */
export function nameKey(ref: {
  readonly database: string;
  readonly schema: string;
  readonly name: string;
}): string {
  return `${ref.database}\0${ref.schema}\0${ref.name}`;
}
