/** What the host knows of the session in a file. */
export interface FileFacts {
  /** The session is this agent's; false for those of others in a folder that agents share. */
  readonly isOurs: boolean;
  readonly names: readonly string[];
  /** Why there may be more names, as a clause. */
  readonly namesUnknown?: string | undefined;
  /** Why it may be another agent's, as a clause. */
  readonly agentUnknown?: string | undefined;
}

export const NO_FACTS: FileFacts = { isOurs: true, names: [] };
