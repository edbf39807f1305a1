import type { SessionState } from "../discovery/examine.ts";
import type { SessionEntry } from "../run/session-states.ts";
import { bytes, count, localTime, plain, when } from "../shared/text.ts";
import { truncate } from "../shared/width.ts";
import { painter, type Terminal } from "./terminal.ts";
import { hang, widthOf } from "./wrap.ts";

export type StateKind = SessionState["kind"];

/** In the order in which they are listed: what needs somebody comes first. */
export const STATES: readonly StateKind[] = ["failing", "pending", "skipped", "uploaded"];

const STYLES: Readonly<Record<StateKind, Parameters<ReturnType<typeof painter>>[0]>> = {
  failing: "red",
  pending: "yellow",
  skipped: "dim",
  uploaded: "green",
};

/** Cells of the longest state. */
const STATE_WIDTH = 8;

export interface SessionFormatOptions {
  readonly terminal: Pick<Terminal, "out">;
  /** ms since the epoch */
  readonly now: number;
}

/** One session: some lines on a terminal, one line elsewhere. */
export function formatSession(
  session: SessionEntry,
  { terminal: { out }, now }: SessionFormatOptions,
): string {
  const { state, changedAt, key, reason } = session;
  const kind = state.kind.padEnd(STATE_WIDTH);
  const shownKind = painter(out)(STYLES[state.kind], kind);
  const size = bytes(session.bytes);
  const names = namesOf(session);
  const width = widthOf(out);
  if (width === Number.POSITIVE_INFINITY) {
    const changed = localTime(changedAt).slice(0, 16);
    return `${[kind, key, ...names, changed, size, reason].map((text) => plain(text)).join("  ")}\n`;
  }
  const title = plain(names.length === 0 ? key : names.join(", "));
  const changed = `${size}, changed ${when(changedAt, now)}`;
  const about = names.length === 0 ? changed : `${key}  ${changed}`;
  return [
    `${shownKind}  ${painter(out)("bold", truncate(title, width - STATE_WIDTH - 2))}\n`,
    `${hang("  ", plain(about), width)}\n`,
    `${hang("  ", plain(reason), width)}\n`,
  ].join("");
}

/** How many there are in each state. */
export function formatCounts(sessions: readonly SessionEntry[]): string {
  const by = STATES.map((kind) => {
    const n = sessions.filter(({ state }) => state.kind === kind).length;
    return `${n} ${kind}`;
  });
  return `${count(sessions.length, "session")}: ${by.join(", ")}.`;
}

/** What people know it by: its key, and its label or title. */
function namesOf({ sessionKey, label, title }: SessionEntry): string[] {
  const called = label ?? title;
  return [sessionKey, called === null ? null : quote(called)].filter((name) => name !== null);
}

const quote = (name: string): string => `"${name}"`;
