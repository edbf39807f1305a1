import { appendFileSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Entries as OpenClaw writes them, one JSON text each; made by number, so that two of the same number are equal. */
export const header = (id: string): string =>
  JSON.stringify({ type: "session", version: 3, id, timestamp: stamp(0), cwd: "/work" });

export const message = (n: number, text = `message ${n}`): string =>
  JSON.stringify({
    type: "message",
    id: `e${n}`,
    parentId: n === 0 ? null : `e${n - 1}`,
    timestamp: stamp(n),
    message: { role: n % 2 === 0 ? "user" : "assistant", content: text },
  });

/** A header and `messages` messages, long enough for the default filters. */
export const session = (id: string, messages = 4): string[] => [
  header(id),
  ...Array.from({ length: messages }, (_, n) => message(n, `${id} says ${"hello ".repeat(20)}`)),
];

export const lines = (entries: readonly string[]): string =>
  entries.map((entry) => `${entry}\n`).join("");

export function sessionPath(stateDir: string, agentId: string, name: string): string {
  return join(stateDir, "agents", agentId, "sessions", name);
}

/** Writes a file as a host leaves it: the folder made, and untouched for a minute. */
export function write(path: string, content: string | Buffer): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  rest(path);
  return path;
}

export function append(path: string, content: string | Buffer): void {
  appendFileSync(path, content);
  rest(path);
}

/** Makes a file look as if nobody had touched it for `seconds`. */
export function rest(path: string, seconds = 60): void {
  const then = Date.now() / 1000 - seconds;
  utimesSync(path, then, then);
}

/** Makes a file look as if it was being written right now. */
export function touch(path: string): void {
  const now = Date.now() / 1000;
  utimesSync(path, now, now);
}

function stamp(n: number): string {
  return new Date(Date.UTC(2026, 9, 1, 8) + n * 1000).toISOString();
}
