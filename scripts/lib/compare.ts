import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { fileOf, streamOf } from "../../src/receiver/names.ts";
import { formatBytes, type Stage } from "./stage.ts";

/** @throws when an event is not held as it is in its database and in its place, or when something else is held */
export async function compare(
  stage: Stage,
  events: Readonly<Record<string, readonly string[]>>,
  received: string,
): Promise<void> {
  const sessions = Object.entries(events);
  let different = 0;
  for (const [session, texts] of sessions) {
    const [agentId = "", sessionId = ""] = session.split("/");
    const held = join(received, fileOf(streamOf(agentId, sessionId), 0));
    const lines = await readFile(held, "utf8").then(
      (text) => text.split("\n").slice(0, -1),
      () => [],
    );
    const name = `${agentId}/${sessionId.slice(0, 8)}…`;
    const sizes = `${texts.length} events, ${formatBytes(sizeOf(texts))} in the database`;
    if (isDeepStrictEqual(lines, texts)) stage.good(`${name}  ${sizes}, the same received`);
    else {
      different += 1;
      stage.bad(`${name}  ${sizes}, but ${lines.length}, ${formatBytes(sizeOf(lines))} received`);
    }
  }
  if (different > 0) throw new Error(`${different} of ${sessions.length} sessions differ`);
  const files = await readdir(join(received, "sessions"), { recursive: true });
  const held = files.filter((name) => name.endsWith(".jsonl")).length;
  if (held !== sessions.length) throw new Error(`${held} files were received`);
  stage.good("and nothing else");
}

/** In bytes, as lines of a file. */
export function sizeOf(events: readonly string[]): number {
  return events.reduce((sum, event) => sum + Buffer.byteLength(event) + 1, 0);
}
