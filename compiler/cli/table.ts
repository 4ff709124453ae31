/** Rows of text under a head, in columns; a column of numbers is set to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => /^[-+]?\d/.test(row[column] ?? '')));
  const format = (line: readonly string[]) =>
    widths
      .map((width, column) =>
        numeric[column] ? (line[column] ?? '').padStart(width) : (line[column] ?? '').padEnd(width),
      )
      .join('  ')
      .trimEnd();
  return [format(head), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(format)].join('\n');
}
