import { asObject, parseJson } from "../shared/json.ts";
import { timeOf } from "../stores/jsonl/content.ts";
import type { Reader } from "../stores/store.ts";
import type { SurveyedSession } from "./examine.ts";
import type { PendingStream } from "./scan-streams.ts";

/** Sessions of which the first waiting line is looked at; of the others counts when they last changed. */
const MAX_READ = 200;

/** A longer line is not read, in bytes. */
const MAX_LINE_BYTES = 256 * 1024;

/**
 * When the oldest line that waits to be sent was written, in ms since the epoch, as well as the lines
 * and the times of their sessions tell; null where none waits.
 */
export async function oldestPending(sessions: readonly SurveyedSession[]): Promise<number | null> {
  const waiting = sessions
    .filter(({ state }) => state.kind === "pending")
    .toSorted((a, b) => a.changedAt - b.changedAt);
  let oldest = waiting.at(0)?.changedAt ?? null;
  for (const session of waiting.slice(0, MAX_READ)) {
    const time = await firstTime(session);
    if (oldest !== null && time !== null) oldest = Math.min(oldest, time);
  }
  return oldest;
}

/** Null for one that is being rewritten, or whose next line cannot be read or names no time. */
async function firstTime({ pending: [first] }: SurveyedSession): Promise<number | null> {
  if (first === undefined) return null;
  try {
    return await timeOfNext(first);
  } catch {
    return null;
  }
}

async function timeOfNext({ store, stream, record }: PendingStream): Promise<number | null> {
  const { offset } = record.position;
  const reader = await store.open(stream);
  try {
    const cut = await reader.cut(offset, { maxBytes: MAX_LINE_BYTES });
    if (cut.kind !== "range" || cut.omitted) return null;
    return timeOf(asObject(parseJson(await firstLine(reader, offset, cut.end))).timestamp);
  } finally {
    await reader.close();
  }
}

/** The first line in a range that is not blank. */
async function firstLine(reader: Reader, start: number, end: number): Promise<string> {
  let text = "";
  for await (const chunk of reader.read(start, end)) {
    text += chunk.toString("utf8");
    if (text.trimStart().includes("\n")) break;
  }
  return text.trimStart().split("\n", 1)[0] ?? "";
}
