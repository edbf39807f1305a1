/** One line of the table. */
export interface Figure {
  readonly section: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The value must not be above this. */
  readonly goal?: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The middle of what each round says, so that a disturbed round does not count. */
export function medianOf<Round>(rounds: readonly Round[], value: (round: Round) => number): number {
  return median(rounds.map(value));
}

export const MB = 1e6;
export const MIB = 1024 * 1024;

export function formatTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ what, value, unit, goal }) => [
    what,
    `${format(value)} ${unit}`,
    goal === undefined ? "" : `<= ${format(goal)}`,
    goal === undefined ? "" : value <= goal ? "reached" : "NOT reached",
  ]);
  const head = ["what", "figure", "goal", ""];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  const lines = [line(head)];
  let section = "";
  for (const [index, figure] of figures.entries()) {
    if (figure.section !== section) lines.push("", figure.section);
    section = figure.section;
    lines.push(line(rows[index] ?? []));
  }
  return `${lines.join("\n")}\n`;
}

function format(value: number): string {
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
