/** What a name in a `sessions/` folder stands for. */
export type NameKind =
  | { readonly kind: "live"; readonly sessionId: string }
  /** The part of a session before a reset; `at` orders several of them. */
  | { readonly kind: "reset"; readonly sessionId: string; readonly at: string }
  | { readonly kind: "other" };

/** A name of a session's file. */
export type SessionName = Exclude<NameKind, { kind: "other" }>;

const OTHER: NameKind = { kind: "other" };

const RESET = /^(.+\.jsonl)\.reset\.(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:[.-]\d+)?Z)$/;

/**
 * Files that end in `.jsonl` and are no sessions: the debug recorder's
 * trajectories (system prompt, tool schemas), checkpoints, ACP event streams,
 * set-aside corrupt copies and the host's connection probes.
 */
const LOOKALIKES = [
  /\.trajectory\.jsonl$/,
  /\.checkpoint\.[^.]+\.jsonl$/,
  /\.acp-stream\.jsonl$/,
  /\.jsonl./,
  /^probe-.+-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.jsonl$/i,
];

/** What nearly every session is called, and nothing else: one look instead of six. */
const PLAIN = /^[^.]+\.jsonl$/;

/** Tells sessions from what only looks like them, by name alone. When in doubt: not a session. */
export function classifyName(name: string): NameKind {
  if (PLAIN.test(name) && !/^probe-/i.test(name)) {
    return { kind: "live", sessionId: name.slice(0, -".jsonl".length) };
  }
  const reset = RESET.exec(name);
  const file = reset?.[1] ?? name;
  if (!file.endsWith(".jsonl") || file.startsWith(".")) return OTHER;
  if (LOOKALIKES.some((form) => form.test(file))) return OTHER;
  const sessionId = file.slice(0, -".jsonl".length);
  if (sessionId === "") return OTHER;
  return reset?.[2] === undefined
    ? { kind: "live", sessionId }
    : { kind: "reset", sessionId, at: reset[2] };
}
