import type { Code } from "../shared/codes.ts";
import type { Problem } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import type { DeletionReport } from "./deletions.ts";
import type { RunTrigger } from "./options.ts";

/** Failures that are reported one by one; the others are counted. */
export const MAX_REPORTED = 50;

export type RunOutcome =
  /** Everything that was planned has arrived. */
  | "done"
  /** Some sessions failed; each has a reason. */
  | "partial"
  /** The credentials were not accepted. */
  | "refused"
  /** Nothing could arrive, or the API asked to wait. */
  | "unreachable"
  /** Uploads are paused, from the beginning or since a part of it. */
  | "paused";

export interface SessionNote {
  readonly agentId: string;
  readonly sessionId: string;
  readonly reason: string;
}

/** A session, an agent as a whole, or nothing in particular, and what is the matter with it. */
export function formatNote({ agentId, sessionId, reason }: SessionNote): string {
  if (agentId === "") return plain(reason);
  return plain(sessionId === "" ? `${agentId}: ${reason}` : `${agentId}/${sessionId}: ${reason}`);
}

/** The same trouble, also when its message differs each time. */
export function troubleKey({ code, agentId = "", sessionId = "" }: Problem): string {
  return JSON.stringify([code, agentId, sessionId]);
}

const OF_RUN: ReadonlySet<Problem["code"]> = new Set<Code>([
  "LEDGER_COPY",
  "LEDGER_DAMAGED",
  "LEDGER_LOST",
  "SESSION_RESTARTED",
  "TLS_KEY_EXPOSED",
]);

/** What only the run that met it can report; all else is found again by whoever looks. */
export function isOfRun({ code }: Problem): boolean {
  return OF_RUN.has(code);
}

/** What is reported in the Gateway's log. */
export function isLogged(problem: Problem): boolean {
  return isOfRun(problem) || problem.code === "DELETION_PENDING";
}

/** What one run did. Plain data: it is printed, kept for `status` and given out as JSON. */
export interface RunReport {
  readonly outcome: RunOutcome;
  /** Why the run ended early. */
  readonly reason?: string;
  readonly trigger: RunTrigger;
  /** The API asked not to be called before, ISO 8601; absent where it did not. */
  readonly notBefore?: string;
  /** There was nothing to do, and will be nothing as long as no transcript changes. */
  readonly settled: boolean;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly sent: {
    /** Sessions of which at least a part has arrived. */
    readonly sessions: number;
    readonly parts: number;
    readonly lines: number;
    readonly messages: number;
    /** Bytes of transcripts. */
    readonly sourceBytes: number;
    /** Compressed bytes handed to the network, all attempts. */
    readonly wireBytes: number;
  };
  /** Sessions there are, whatever their state; absent when the run did not look, or only at agents that are excluded. */
  readonly found?: number;
  /** Lines that did not go as they were, or were not taken. */
  readonly lines: {
    readonly raw: number;
    readonly omitted: number;
    readonly untyped: number;
    readonly invalidUtf8: number;
    readonly blank: number;
    /** Lines of which credentials were redacted. */
    readonly redacted: number;
    /** Lines that could not be searched for credentials; their lengths were sent. */
    readonly withheld: number;
    readonly rejected: number;
  };
  /** Credentials that were redacted in what was sent, by rule. */
  readonly redactions: Readonly<Record<string, number>>;
  /** Failing sessions; at most {@link MAX_REPORTED}. */
  readonly failures: readonly SessionNote[];
  readonly failed: number;
  /** Sessions that wait for the next run although this one tried them; at most {@link MAX_REPORTED}. */
  readonly postponed: readonly SessionNote[];
  readonly problems: readonly Problem[];
  /** What the API was asked to delete; absent when that is nothing. */
  readonly deletions?: DeletionReport;
  /** What the API answered: its receipts added up, or why it took no more. */
  readonly lastAnswer?: string;
  readonly warnings: readonly string[];
  /** What is still waiting after the run. */
  readonly left: {
    readonly sessions: number;
    readonly bytes: number;
    /** Among the sessions: those the host was rewriting. */
    readonly settling: number;
  };
}
