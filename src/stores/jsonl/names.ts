import { isSessionId } from "../../shared/session-id.ts";

/** What a name in a `sessions/` folder stands for. */
export type NameKind =
  | { readonly kind: "live"; readonly sessionId: string }
  /** The part of a session before a reset; `at` orders several of them. */
  | { readonly kind: "reset"; readonly sessionId: string; readonly at: string }
  /** Like a session's, but no name that OpenClaw gives; `sessionId` is what stands in the place of the id. */
  | { readonly kind: "misnamed"; readonly sessionId: string }
  | { readonly kind: "other" };

/** A name of a session's file, or one like it. */
export type SessionName = Exclude<NameKind, { kind: "other" }>;

const OTHER: NameKind = { kind: "other" };

/** Anything that seems to be a session, or a part of one before a reset. */
const SESSION_LIKE = /^([^.].*?)(\.jsonl)(\.reset\..*)?$/is;

const RESET = /^\.reset\.(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:[.-]\d+)?Z)$/;

/**
 * Files that end in `.jsonl` and are no sessions: the debug recorder's
 * trajectories (system prompt, tool schemas), checkpoints, ACP event streams,
 * set-aside corrupt copies and the host's connection probes.
 */
const LOOKALIKES = [
  /\.trajectory$/i,
  /\.checkpoint\.[^.]+$/i,
  /\.acp-stream$/i,
  /\.jsonl/i,
  /^probe-.+-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/is,
];

/** What nearly every session is called, and nothing else: one test instead of six. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9_-]*\.jsonl$/;

/** Distinguishes sessions from what only looks like them, by name alone. When in doubt: not a session. */
export function classifyName(name: string): NameKind {
  if (PLAIN.test(name) && !/^probe-/i.test(name)) {
    return { kind: "live", sessionId: name.slice(0, -".jsonl".length) };
  }
  const [, sessionId, extension, tail] = SESSION_LIKE.exec(name) ?? [];
  if (sessionId === undefined || LOOKALIKES.some((form) => form.test(sessionId))) return OTHER;
  const misnamed: NameKind = { kind: "misnamed", sessionId };
  if (extension !== ".jsonl" || !isSessionId(sessionId)) return misnamed;
  if (tail === undefined) return { kind: "live", sessionId };
  const at = RESET.exec(tail)?.[1];
  return at === undefined ? misnamed : { kind: "reset", sessionId, at };
}
