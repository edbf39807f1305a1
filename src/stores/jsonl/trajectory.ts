import { readHeadSync } from "../../shared/open-file.ts";
import { errnoOf, InfluxionError } from "../../shared/problem.ts";

/** Its first record has the key near its beginning. */
const HEAD_BYTES = 8 * 1024;

const SESSION_KEY = /"sessionKey":("(?:[^"\\]|\\.)*")/;

export type TrajectoryKey =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "unknown" }
  /** `reason` is a clause. */
  | { readonly kind: "unreadable"; readonly reason: string };

/**
 * The key under which a session was kept, as the debug recorder of OpenClaw up to
 * 2026.7 notes it: `sessions.json` forgets it when the session is reset or rolls over. Nothing
 * of the recording is kept or sent.
 *
 * @param path of the recording
 */
export function readTrajectoryKey(path: string): TrajectoryKey {
  try {
    const head = readHeadSync(path, HEAD_BYTES).toString("utf8");
    const quoted = SESSION_KEY.exec(head.split("\n", 1)[0] ?? "")?.[1];
    return quoted === undefined
      ? { kind: "unknown" }
      : { kind: "key", key: JSON.parse(quoted) as string };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || error instanceof SyntaxError) return { kind: "unknown" };
    const reason =
      error instanceof InfluxionError ? error.message : errnoOf(error) || String(error);
    return { kind: "unreadable", reason: `its recording cannot be read (${reason})` };
  }
}
