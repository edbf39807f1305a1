import { bytes } from "../shared/text.ts";
import type { StagedPart } from "./body.ts";
import { shownId } from "./names.ts";
import type { Stored } from "./storage.ts";

/** One line about a part that was taken. */
export function describe(staged: StagedPart, { part, repeated, newer }: Stored): string {
  const name = `agent ${shownId(staged.agentId)} session ${shownId(staged.sessionId)}`;
  const range = describeRange(part.firstLine, part.lines);
  if (repeated) return `${name}: ${range} once more, answered from the record`;
  const details = [
    range,
    `${bytes(part.wireBytes)} on the wire`,
    `${bytes(part.decodedBytes)} of JSON`,
  ];
  if (part.receipt.rejected > 0) details.push(`${part.receipt.rejected} rejected`);
  if (newer !== undefined) {
    details.push(`late, for the older generation ${part.generation}`);
  } else if (part.generation > 0 && part.firstLine === 0) {
    details.push(`starts again (generation ${part.generation})`);
  }
  return `${name}: ${details.join(", ")}`;
}

function describeRange(first: number, lines: number): string {
  return lines === 1 ? `1 line (${first})` : `${lines} lines (${first}-${first + lines - 1})`;
}
