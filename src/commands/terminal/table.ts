export interface Column<Row> {
  readonly title: string;
  readonly right?: boolean;
  readonly value: (row: Row) => string;
}

/** Control characters would let a name from a message drive the terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

/** Rows under titles, padded; ends with a line feed. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((column) => printable(column.value(row)))),
  ];
  const length = (text: string) => [...text].length;
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => length(line[index]!))));
  return cells
    .map((line) =>
      line
        .map((cell, index) => {
          const padding = ' '.repeat(widths[index]! - length(cell));
          return columns[index]!.right ? padding + cell : cell + padding;
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
