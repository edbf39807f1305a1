/** The key of a session's record. An agent's id holds no slash. */
export function sessionKey(agentId: string, sessionId: string): string {
  return `${agentId}/${sessionId}`;
}

/** What {@link sessionKey} was made of. */
export function splitKey(key: string): { readonly agentId: string; readonly sessionId: string } {
  const slash = key.indexOf("/");
  return { agentId: key.slice(0, slash), sessionId: key.slice(slash + 1) };
}
