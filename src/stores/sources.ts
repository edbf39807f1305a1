/** The source of a session's file while it is written to. */
export const liveFile = (sessionId: string): string => `${sessionId}.jsonl`;

/** The source of a session in its agent's database. */
export const IN_DATABASE = "sqlite";

/**
 * The sources that hosts write to, in ascending rank, one for each kind of store: what a session
 * has in a later one is newer, also when only the ledger remembers it.
 */
export function liveSources(sessionId: string): string[] {
  return [liveFile(sessionId), IN_DATABASE];
}
