import { createHash } from "node:crypto";

/** Longest line that is sent, newline included (src/stores/store.ts, said again: this is the other opinion). */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

/** One state of a session that only grows; a rewrite with other bytes begins the next one. */
export interface Version {
  /** Digest of the payload of every whole line, in order. */
  readonly lines: string[];
  /** It is what is on disk now. */
  alive: boolean;
}

/** Everything a session has ever been. */
export class History {
  readonly versions: Version[] = [];
  /** Generations that may exist besides one a version: the writer was held up in the middle of a rewrite. */
  slack = 0;
  /** Earlier versions came to light behind later ones: only what it is now has its place, the last. */
  isShuffled = false;
  /** When it was deleted, in ms since the epoch; undefined while it is there. */
  deletedAt: number | undefined;

  begin(lines: readonly string[] = []): Version {
    const version = { lines: [...lines], alive: true };
    this.versions.push(version);
    return version;
  }
}

/** What a line must arrive as; null when it is blank and is not sent. */
export function payloadOf(line: string): string | null {
  const bytes = Buffer.byteLength(line);
  if (bytes + 1 > MAX_LINE_BYTES) return `{"omitted":{"reason":"line-too-long","bytes":${bytes}}}`;
  const text = line.replace(/[ \t\r]+$/, "");
  if (text === "") return null;
  return isObject(text) ? text : JSON.stringify({ raw: text });
}

export function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

export function digestOf(payload: string): string {
  return createHash("sha1").update(payload).digest("base64").slice(0, 20);
}

/** Digests of the payloads of lines. */
export function digestsOf(lines: readonly string[]): string[] {
  const digests: string[] = [];
  for (const line of lines) {
    const payload = payloadOf(line);
    if (payload !== null) digests.push(digestOf(payload));
  }
  return digests;
}

/** The lines of a file's content that must be held: whole ones, and a last object that lacks its newline. */
export function wholeLinesOf(content: string): string[] {
  const lines = content.split("\n");
  const last = lines.pop() ?? "";
  return isObject(last) ? [...lines, last] : lines;
}
