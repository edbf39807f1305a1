import type { SessionState } from "../discovery/examine.ts";
import type { SessionEntry } from "../run/session-states.ts";
import { count } from "../shared/text.ts";
import { formatRow, type SessionRow } from "./session-row.ts";
import type { Terminal } from "./terminal.ts";

export type StateKind = SessionState["kind"];

/** In the order in which they are listed: what needs somebody comes first. */
export const STATES: readonly StateKind[] = ["failing", "pending", "skipped", "uploaded"];

const STYLES: Readonly<Record<StateKind, NonNullable<SessionRow["head"]>["style"]>> = {
  failing: "red",
  pending: "yellow",
  skipped: "dim",
  uploaded: "green",
};

/** Cells of the longest state. */
const STATE_WIDTH = 8;

export function formatSession(session: SessionEntry, { out }: Pick<Terminal, "out">): string {
  const { kind } = session.state;
  const head = { text: kind.padEnd(STATE_WIDTH), style: STYLES[kind] };
  return formatRow({ ...session, head, called: session }, out);
}

/** How many there are in each state. */
export function formatCounts(sessions: readonly SessionEntry[]): string {
  const by = STATES.map((kind) => {
    const n = sessions.filter(({ state }) => state.kind === kind).length;
    return `${n} ${kind}`;
  });
  return `${count(sessions.length, "session")}: ${by.join(", ")}.`;
}
