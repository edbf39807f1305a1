import type { SessionKind } from "../shared/session-kind.ts";
import type { FilterName } from "./patterns.ts";

/** What a session is called and what kind it is, as far as its store knows. */
export interface SessionNames {
  readonly sessionId: string;
  /** What it is called besides: session keys, labels, display names. */
  readonly names: readonly string[];
  /** Those of them that may allow it: session keys and labels. */
  readonly ownNames: readonly string[];
  readonly kinds: readonly SessionKind[];
  /** Kinds that it may be of as well. */
  readonly openKinds: readonly SessionKind[];
  /** Why there may be more names, as a clause. */
  readonly namesUnknown?: string | undefined;
  /** Why it may be another agent's, as a clause. */
  readonly agentUnknown?: string | undefined;
}

export type NameVerdict =
  | { readonly kind: "passes" }
  | { readonly kind: "excluded"; readonly filter: FilterName }
  /** A filter that cannot be decided denies. */
  | { readonly kind: "undecidable"; readonly reason: string };

export const PASSES: NameVerdict = { kind: "passes" };

/** @param unknown why it cannot be decided, as a clause */
export function undecidable(option: string, unknown: string): NameVerdict {
  return {
    kind: "undecidable",
    reason: `not sent, because ${option} cannot be decided for it: ${unknown}`,
  };
}
