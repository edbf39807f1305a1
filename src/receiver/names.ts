import { createHash } from "node:crypto";
import { plain } from "../shared/text.ts";
import type { Owner, Scope } from "./backend.ts";

/** Leaves room for `.g<N>.jsonl` within the 255 bytes that file systems allow. */
const MAX_NAME_LENGTH = 180;

/**
 * A file name for an id: no two ids share one, and none leads outside its folder.
 *
 * Everything but `a-z`, `0-9`, `_` and `-` is escaped per UTF-16 code unit (`%2e`,
 * `%u20ac`). Capitals are escaped too, as `Main` and `main` are one file on macOS
 * and Windows; dots, as `..` is a folder and `.g1` marks a generation.
 */
export function nameOf(id: string): string {
  const name = id.replace(/[^a-z0-9_-]/g, escapeUnit);
  if (name.length <= MAX_NAME_LENGTH) return name;
  // UTF-16, because UTF-8 would make all lone surrogates equal. `~` is never the
  // outcome of an escape, so a shortened name cannot equal a whole one.
  const digest = createHash("sha256").update(Buffer.from(id, "utf16le")).digest("hex");
  return `${name.slice(0, 64)}~${digest}`;
}

function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0);
  const hex = code.toString(16);
  return code < 0x100 ? `%${hex.padStart(2, "0")}` : `%u${hex.padStart(4, "0")}`;
}

/**
 * Identifies a session of an owner: `<agent>/<session>`, each as {@link nameOf} has it. Indexes that
 * exist refer to sessions by it, so that it never changes.
 */
export function streamOf(agentId: string, sessionId: string): string {
  return `${nameOf(agentId)}/${nameOf(sessionId)}`;
}

/** Whose a session is: a project and a deployment, each as {@link nameOf} has it. */
export function ownerOf({ projectId, deploymentId }: Owner): string {
  return `${nameOf(projectId)}/${nameOf(deploymentId)}`;
}

/** Identifies the session `stream` of an owner who is not the first to have one of that name. */
export function furtherStreamOf(stream: string, owner: string): string {
  return `${stream}~${createHash("sha256").update(owner).digest("hex").slice(0, 16)}`;
}

/** Names what a deletion means, so that its ids need not be kept. */
export function scopeDigest({ projectId, deploymentId, agentId, sessionId }: Scope): string {
  const ids = [projectId, deploymentId, agentId ?? null, sessionId ?? null];
  return createHash("sha256").update(JSON.stringify(ids)).digest("hex");
}

/** What Windows takes for a device, also with an extension: https://learn.microsoft.com/windows/win32/fileio/naming-a-file */
const DEVICE = /(^|\/)(con|prn|aux|nul|com\d|lpt\d)(?=$|\/)/g;

/** The file of one generation of a session, relative to the receiver's folder. */
export function fileOf(stream: string, generation: number): string {
  const path = stream.replace(DEVICE, (_, before, name) => before + escapeFirst(name));
  return `sessions/${path}${generation === 0 ? "" : `.g${generation}`}.jsonl`;
}

/** Ids do not lead to this name, as their small letters are never escaped. */
function escapeFirst(name: string): string {
  return escapeUnit(name.charAt(0)) + name.slice(1);
}

/** What is shown of an id, which may be of any length. */
const MAX_SHOWN_LENGTH = 80;

/** {@link plain} for an id. */
export function shownId(id: string): string {
  const shown = plain(id);
  return shown.length <= MAX_SHOWN_LENGTH ? shown : `${shown.slice(0, MAX_SHOWN_LENGTH)}…`;
}
