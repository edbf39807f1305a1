/** Longest name of a file that OpenClaw gives to a session; with `.jsonl` behind the id it is 255 bytes. */
const MAX_BYTES = 249;

/** What nearly every id is made of: one test instead of two. */
const PLAIN = /^[a-z0-9][a-z0-9_-]{0,127}$/i;

/**
 * Letters, digits, dots, dashes and underscores, as `validateSessionId` of 2026.9.6 has them;
 * 2026.7.35 takes fewer letters. The topic of a chat is added as `encodeURIComponent` writes it.
 */
const FORM = /^[\p{L}\p{N}][\p{L}\p{N}\p{M}._-]*(?:-topic-[\w.!~*'()%-]+)?$/u;

/** Whether OpenClaw could have given this id to a session. No other can be part of a path, or be shown, as it is. */
export function isSessionId(text: string): boolean {
  return PLAIN.test(text) || (Buffer.byteLength(text) <= MAX_BYTES && FORM.test(text));
}
