/** How columns are laid out: least width, and the spaces after the widest cell. */
export interface TabLayout {
  readonly minimumWidth: number;
  readonly padding: number;
}

/** Docker's tables. */
export const tableLayout: TabLayout = { minimumWidth: 10, padding: 3 };

/**
 * Aligns tab-terminated cells as Go's text/tabwriter: a column is a run of adjacent lines that have a cell there, and a
 * line's last cell (after its last tab) belongs to no column.
 */
export function alignTabs(text: string, layout: TabLayout = tableLayout): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const out = lines.map(() => "");
  layColumn(lines, out, 0, lines.length, 0, layout);
  return out.join("\n");
}

function layColumn(
  lines: readonly (readonly string[])[],
  out: string[],
  start: number,
  end: number,
  column: number,
  layout: TabLayout,
): void {
  let index = start;
  while (index < end) {
    if (column >= cellCount(lines[index]) - 1) {
      out[index] += lines[index]?.[column] ?? "";
      index++;
      continue;
    }
    let stop = index;
    let width = 0;
    while (stop < end && column < cellCount(lines[stop]) - 1) {
      width = Math.max(width, widthOf(lines[stop]?.[column] ?? ""));
      stop++;
    }
    const laid = Math.max(width + layout.padding, layout.minimumWidth);
    for (let line = index; line < stop; line++) {
      const cell = lines[line]?.[column] ?? "";
      out[line] += cell + " ".repeat(Math.max(0, laid - widthOf(cell)));
    }
    layColumn(lines, out, index, stop, column + 1, layout);
    index = stop;
  }
}

function cellCount(line: readonly string[] | undefined): number {
  return line?.length ?? 0;
}

/** Characters, as Go counts them: one column each. */
function widthOf(cell: string): number {
  return Array.from(cell).length;
}
