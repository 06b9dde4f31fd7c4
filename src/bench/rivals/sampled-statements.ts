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

const executed = /\t *\d+ Execute\t(.+)$/;

/** A share of the executed statements that name a table in a general log of MariaDB or MySQL; the last `most`. */
export function executedStatements(
  log: string,
  by: { readonly table: string; readonly share: number; readonly most: number },
): readonly LoggedStatement[] {
  const every = Math.round(1 / by.share);
  const texts = log.split('\n').flatMap((line) => executed.exec(line)?.[1] ?? []);
  return (
    texts
      // MariaDB puts values into those alone that were prepared since it logs.
      .filter((text) => text.includes(by.table) && !text.includes('?'))
      .filter((_, at) => at % every === 0)
      .slice(-by.most)
      .map((text) => ({ text, values: [] }))
  );
}
