import type { Called } from "../discovery/called.ts";
import { bytes, localTime, plain } from "../shared/text.ts";
import { displayWidth, truncate } from "../shared/width.ts";
import { painter, type Terminal } from "./terminal.ts";
import { hang, unbroken, widthOf } from "./wrap.ts";

/** A session in a list. */
export interface SessionRow {
  /** In front of everything else. */
  readonly head?: { readonly text: string; readonly style: Style } | undefined;
  /** `<agentId>/<sessionId>` */
  readonly key: string;
  readonly called: Called;
  readonly bytes: number;
  /** ms since the epoch */
  readonly changedAt: number;
  /** Why it is in the list. */
  readonly reason: string;
}

type Style = Parameters<ReturnType<typeof painter>>[0];

/** On a terminal some lines, of which the first says what it is called; elsewhere one line. */
export function formatRow(row: SessionRow, out: Terminal["out"]): string {
  const { head, key, called, reason } = row;
  const names = namesOf(called);
  const facts = [localTime(row.changedAt).slice(0, 16), bytes(row.bytes)];
  if (out.isTTY !== true) {
    const columns = [...(head ? [head.text] : []), key, ...names, ...facts, reason];
    return `${columns.map((text) => plain(text)).join("  ")}\n`;
  }
  const paint = painter(out);
  const start = head === undefined ? "" : `${paint(head.style, head.text)}  `;
  const width = widthOf(out);
  const room = width - (head === undefined ? 0 : displayWidth(head.text) + 2);
  const title = truncate(plain(names.join(", ") || key), room);
  const about = names.length === 0 ? facts : [key, ...facts];
  return [
    `${start}${paint("bold", title)}`,
    hang("  ", about.map((fact) => unbroken(plain(fact))).join("  "), width),
    hang("  ", plain(reason), width),
    "",
  ].join("\n");
}

/** What people know it by: its key, and its label or title. */
function namesOf({ sessionKey, label, title }: Called): string[] {
  const name = label ?? title;
  return [sessionKey, name === null ? null : `"${name}"`].filter((one) => one !== null);
}
