const VALID_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/i;

/**
 * An agent's id as OpenClaw makes it of what a user wrote ("My Agent" lives in
 * `agents/my-agent`): `normalizeAgentId` of its `plugin-sdk/routing`, which is equal in
 * 2026.7.35 and 2026.9.6. Text with nothing in it that an id may have is the agent `main`.
 */
export function normalizeAgentId(text: string): string {
  return slugOf(text) || "main";
}

/** The same for the name of a folder: one with nothing in it that an id may have is no agent of the host's, so "". */
export function slugOf(text: string): string {
  const trimmed = text.trim();
  const lower = trimmed.toLowerCase();
  if (VALID_ID.test(trimmed)) return lower;
  return lower
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^-+/, "")
    .replace(/-+$/, "")
    .slice(0, 64);
}

/** Whether OpenClaw itself could have given this id to an agent. */
export function isAgentId(text: string): boolean {
  return VALID_ID.test(text);
}
