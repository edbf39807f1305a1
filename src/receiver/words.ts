import type { StagedPart } from "./body.ts";
import type { Stored } from "./storage.ts";

const MAX_ID_LENGTH = 80;

/** Text as a terminal may show it: no control sequences, no invisible or reordering characters. */
export function plain(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "");
}

/** {@link plain} for an id, which may be of any length. */
export function printable(id: string): string {
  const shown = plain(id);
  return shown.length <= MAX_ID_LENGTH ? shown : `${shown.slice(0, MAX_ID_LENGTH)}…`;
}

/** One line about a part that was taken. */
export function describe(staged: StagedPart, { part, repeated }: Stored): string {
  const name = `agent ${printable(staged.agentId)} session ${printable(staged.sessionId)}`;
  const range = describeRange(part.firstLine, part.lines);
  if (repeated) return `${name}: ${range} once more, answered from the record`;
  const details = [
    range,
    `${bytes(part.wireBytes)} on the wire`,
    `${bytes(part.decodedBytes)} of JSON`,
  ];
  if (part.receipt.rejected > 0) details.push(`${part.receipt.rejected} rejected`);
  if (part.generation > 0 && part.firstLine === 0) {
    details.push(`starts again (generation ${part.generation})`);
  }
  return `${name}: ${details.join(", ")}`;
}

function describeRange(first: number, lines: number): string {
  return lines === 1 ? `1 line (${first})` : `${lines} lines (${first}-${first + lines - 1})`;
}

/** Bytes for people, in steps of 1000: `12 B`, `3.1 kB`, `10 kB`. */
export function bytes(count: number): string {
  let value = count;
  let unit = "B";
  for (const next of ["kB", "MB", "GB", "TB"]) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${unit !== "B" && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** `1 part`, `2 parts`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
