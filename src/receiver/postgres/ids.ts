import { createHash } from "node:crypto";
import type { SessionIds } from "../backend.ts";

/** What PostgreSQL's text cannot hold: NUL, and halves of surrogate pairs. And `\`, which marks them. */
const UNSTORABLE = /[\\\0]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** An id as text that PostgreSQL can hold; no two ids have the same. */
export function storedId(id: string): string {
  return id.replace(UNSTORABLE, (unit) =>
    unit === "\\" ? "\\\\" : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The id that {@link storedId} made `text` of. */
export function idOf(text: string): string {
  return text.replace(/\\(\\|u([0-9a-f]{4}))/g, (_, escaped, hex) =>
    escaped === "\\" ? "\\" : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Names a session in a unique index, whatever the length of its ids: an index row has a limit of 2,704 bytes. */
export function digestOf({ projectId, deploymentId, agentId, sessionId }: SessionIds): Buffer {
  return sha256(JSON.stringify([projectId, deploymentId, agentId, sessionId]));
}

/** The advisory lock of a deployment: who receives shares it, and who deletes holds it alone. */
export function deploymentLock(projectId: string, deploymentId: string): string {
  return sha256(JSON.stringify([projectId, deploymentId]))
    .readBigInt64BE()
    .toString();
}

export function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
