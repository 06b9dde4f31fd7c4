/** A statement with its parameters, as a server's log tells it. */
export interface LoggedStatement {
  readonly text: string;
  readonly values: readonly string[];
}

const execution = /duration: [\d.]+ ms {2}execute [^:]+: (.+)$/;
const parameters = /DETAIL: {2}parameters: (.+)$/i;
const value = /\$\d+ = '((?:[^']|'')*)'/g;

/** The executed statements of a role in a log whose lines begin with `… ROLE@DATABASE …`; the last `most`. */
export function loggedStatements(
  log: string,
  by: { readonly role: string; readonly most: number },
): readonly LoggedStatement[] {
  const found: LoggedStatement[] = [];
  let text: string | undefined;
  for (const line of log.split('\n')) {
    if (!line.includes(` ${by.role}@`)) continue;
    const detail = parameters.exec(line)?.[1];
    if (detail !== undefined && text !== undefined) {
      const values = [...detail.matchAll(value)].map(([, one = '']) => one.replaceAll("''", "'"));
      found.push({ text, values });
    }
    text = execution.exec(line)?.[1];
  }
  return found.slice(-by.most);
}
