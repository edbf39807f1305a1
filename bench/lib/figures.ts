import { type RoundCounts, sumOf } from "./rounds.ts";

/** One line of the table. */
export interface Figure {
  readonly section: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The value must not be above this. */
  readonly goal?: number;
  /** What it is made of; figures of the same rounds have the same object. */
  readonly rounds: readonly RoundCounts[];
}

/** Figures that all come from these rounds. */
export function figuresOf(
  rounds: RoundCounts,
  figures: readonly Omit<Figure, "rounds">[],
): Figure[] {
  return figures.map((figure) => ({ ...figure, rounds: [rounds] }));
}

/** All the rounds behind some figures, each counted once. */
export function roundsOf(figures: readonly Figure[]): RoundCounts {
  return sumOf([...new Set(figures.flatMap(({ rounds }) => rounds))]);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The middle of what each round says. */
export function medianOf<Round>(rounds: readonly Round[], value: (round: Round) => number): number {
  return median(rounds.map(value));
}

export const MB = 1e6;
export const MIB = 1024 * 1024;

export function formatTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.what,
    `${format(figure.value)} ${figure.unit}`,
    figure.goal === undefined ? "" : `<= ${format(figure.goal)}`,
    verdictOn(figure),
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
    if (figure.section !== section) lines.push("", figure.section, ...thrownAway(figure, figures));
    section = figure.section;
    lines.push(line(rows[index] ?? []));
  }
  return `${lines.join("\n")}\n`;
}

/** What stands below the title of this figure's section. */
function thrownAway({ section }: Figure, figures: readonly Figure[]): string[] {
  const { made, kept } = roundsOf(figures.filter((other) => other.section === section));
  if (made === kept) return [];
  return [`(${made - kept} of ${made} rounds thrown away because other programs ran)`];
}

/** A figure of disturbed rounds is neither good nor bad. */
function verdictOn({ value, goal, rounds }: Figure): string {
  const { kept, disturbed } = sumOf(rounds);
  if (disturbed > 0) return `DISTURBED: ${disturbed} of ${kept} rounds`;
  if (goal === undefined) return "";
  return value <= goal ? "reached" : "NOT reached";
}

/** What is said in the place of {@link formatRounds} where it cannot be known. */
export const UNKNOWN_OTHERS =
  "Whether other programs ran beside the rounds cannot be known on this system.\n";

/** What stands below the table. */
export function formatRounds(figures: readonly Figure[]): string {
  const { made, kept, disturbed } = roundsOf(figures);
  const lines = [`Rounds: ${made}, thrown away because other programs ran: ${made - kept}.`];
  if (disturbed > 0) {
    lines.push(
      "DISTURBED: other programs ran beside so many of the rounds that a figure is made of,",
      "since not enough quiet ones came. Measure it again before you believe it.",
    );
  }
  return `${lines.join("\n")}\n`;
}

function format(value: number): string {
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
