import { bytes } from "../shared/text.ts";
import type { ReceivedPart, Stored } from "./backend.ts";
import { shownId } from "./names.ts";

/** One line about a part that was taken. */
export function describe(part: ReceivedPart, stored: Stored): string {
  const name = `agent ${shownId(part.agentId)} session ${shownId(part.sessionId)}`;
  const range = describeRange(part.firstLine, part.lines);
  if (stored.repeated) return `${name}: ${range} once more, answered from the record`;
  const details = [
    range,
    `${bytes(part.wireBytes)} on the wire`,
    `${bytes(part.decodedBytes)} of JSON`,
  ];
  if (part.rejected > 0) details.push(`${part.rejected} rejected`);
  if (stored.newer !== undefined) {
    details.push(`late, for the older generation ${stored.generation}`);
  } else if (stored.restarts) {
    details.push(`starts again (generation ${stored.generation})`);
  }
  return `${name}: ${details.join(", ")}`;
}

function describeRange(first: number, lines: number): string {
  return lines === 1 ? `1 line (${first})` : `${lines} lines (${first}-${first + lines - 1})`;
}
