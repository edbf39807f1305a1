import type { SurveyedSession } from "../discovery/examine.ts";
import type { Survey } from "../discovery/survey.ts";
import type { PlannedPart } from "../ledger/records.ts";
import { addCounts, type LineCounts, noLines, sentLines } from "../lines/entry.ts";
import type { Problem } from "../shared/problem.ts";
import { count, quoted } from "../shared/text.ts";
import type { Delivered } from "../upload/send.ts";
import type { SessionTally } from "../upload/session.ts";
import type { DeletionReport } from "./deletions.ts";
import { MAX_REPORTED, type RunReport, type SessionNote } from "./report.ts";

/** Sessions in a row whose retries are exhausted before the run gives up on the API. */
const GIVE_UP_AFTER = 3;

/** A session that nothing takes at the address, and why it would be backed off from. */
interface NotFound {
  readonly session: SurveyedSession;
  readonly status: number;
  readonly reason: string;
}

/** Adds up a run while it goes on. */
export class Tally implements SessionTally {
  /** In ms since the epoch. */
  readonly startedAt: number;
  parts = 0;
  wireBytes = 0;
  readonly problems: Problem[] = [];
  /** Messages that were delivered, by the key of their session. */
  readonly messages = new Map<string, number>();
  /** Sessions whose retries were exhausted in this run. */
  readonly exhausted: { readonly session: SurveyedSession; readonly reason: string }[] = [];
  /** What became of what the API was to delete; null where it was not asked. */
  deletions: DeletionReport | null = null;
  /** Set when the run cannot go on. */
  stop: SessionTally["stop"] = null;

  readonly #notFound: NotFound[] = [];
  readonly #hasTaken: boolean;
  readonly #trigger: RunReport["trigger"];
  readonly #ledgerProblems: readonly Problem[];
  readonly #counts: LineCounts = noLines();
  readonly #redactions: Record<string, number> = {};
  readonly #failures: SessionNote[] = [];
  readonly #postponed: SessionNote[] = [];
  readonly #warnings = new Set<string>();
  /** Bytes of source delivered, by session; and those that need no more, of which some were only counted. */
  readonly #delivered = new Map<string, number>();
  readonly #covered = new Map<string, number>();
  readonly #completed = new Set<string>();
  readonly #failed = new Set<string>();
  /** Sessions of which the API has something newer, each reported once. */
  readonly #overtaken = new Set<string>();
  #accepted = 0;
  #rejected = 0;
  #lastAnswer: string | undefined;
  #exhaustedInARow = 0;
  #left = { sessions: 0, bytes: 0, settling: 0 };

  /**
   * @param ledgerProblems those of the ledger, to which more may be added until the run has ended
   * @param hasTaken whether the address has taken anything in an earlier run
   */
  constructor(
    startedAt: number,
    trigger: RunReport["trigger"],
    ledgerProblems: readonly Problem[],
    hasTaken: boolean,
  ) {
    this.#hasTaken = hasTaken;
    this.startedAt = startedAt;
    this.#trigger = trigger;
    this.#ledgerProblems = ledgerProblems;
  }

  delivered(
    session: SurveyedSession,
    part: PlannedPart,
    { counts, redactions, receipt }: Pick<Delivered, "counts" | "redactions" | "receipt">,
  ): void {
    this.parts++;
    this.#exhaustedInARow = 0;
    addCounts(this.#counts, counts);
    this.messages.set(session.key, (this.messages.get(session.key) ?? 0) + counts.messages);
    for (const [rule, found] of redactions) {
      this.#redactions[rule] = (this.#redactions[rule] ?? 0) + found;
    }
    this.#rejected += receipt.rejected;
    const before = this.#delivered.get(session.key) ?? 0;
    this.#delivered.set(session.key, before + part.bytes);
    const covered = part.omitted === undefined ? part.bytes : part.omitted + 1;
    this.#covered.set(session.key, (this.#covered.get(session.key) ?? 0) + covered);
    this.#accepted += receipt.accepted;
    this.#lastAnswer = `accepted ${count(this.#accepted, "line")}, rejected ${this.#rejected}`;
    for (const warning of receipt.warnings ?? []) {
      if (this.#warnings.size < MAX_REPORTED) this.#warnings.add(quoted(warning));
    }
    for (const { lineIndex, reason } of receipt.errors ?? []) {
      if (this.#warnings.size >= MAX_REPORTED) break;
      this.#warnings.add(`${session.key} line ${lineIndex} was rejected: ${quoted(reason)}`);
    }
  }

  completed({ key }: SurveyedSession): void {
    this.#completed.add(key);
  }

  restarted({ agentId, sessionId }: SurveyedSession): void {
    const message = `the API has other lines of this session than were recorded here (answered 409), as after a restored backup or on a copied machine; all of it is sent again`;
    this.problems.push({ code: "SESSION_RESTARTED", agentId, sessionId, message });
  }

  overtaken({ key, agentId, sessionId }: SurveyedSession, restarts: boolean): void {
    if (this.#overtaken.has(key)) return;
    this.#overtaken.add(key);
    const what = restarts
      ? "as after a restored snapshot, on a copied machine or when the clock was ahead; all of it is sent again"
      : "also after all of it was sent again in the last week; if another machine uses the same deploymentId, give each its own";
    const message = `the API has something newer of this session than was recorded here, ${what}`;
    this.problems.push({ code: "SESSION_RESTARTED", agentId, sessionId, message });
  }

  /** The session is waiting again, with what is left of it now. */
  examinedAgain({ key }: SurveyedSession): void {
    this.#completed.delete(key);
    this.#covered.delete(key);
  }

  failed(session: SurveyedSession, reason: string): void {
    this.#failed.add(session.key);
    this.#failures.push(note(session, reason));
    this.#lastAnswer = reason;
  }

  /** The retries of one session are exhausted; several in a row mean that the API is not there. */
  retriesExhausted(session: SurveyedSession, reason: string): void {
    this.postponed(session, reason);
    this.exhausted.push({ session, reason });
    this.#lastAnswer = reason;
    this.#exhaustedInARow++;
    if (this.#exhaustedInARow >= GIVE_UP_AFTER) this.stop ??= { kind: "unreachable", reason };
  }

  /** Nothing takes the session at this address; the first ones of a run show that nothing takes any now. */
  notFound(session: SurveyedSession, answer: Omit<NotFound, "session">): void {
    this.#notFound.push({ ...answer, session });
    this.#lastAnswer = answer.reason;
    if (this.#notFound.length >= GIVE_UP_AFTER) this.#checkAddress();
  }

  /**
   * Decides, when everything has been tried, about the sessions that were not found: others
   * got through, now or, where these are few, in an earlier run, so it is they; or none did, so
   * it is the address.
   *
   * @returns those to back off from
   */
  resolveNotFound(): readonly NotFound[] {
    if (!this.#hasTaken) this.#checkAddress();
    const stop = this.stop ?? this.#neverArrived();
    const isTheirs = this.parts > 0 || stop === null;
    for (const { session, reason } of this.#notFound) {
      if (isTheirs) this.failed(session, reason);
      else this.postponed(session, stop?.reason ?? reason);
    }
    return isTheirs ? this.#notFound : [];
  }

  #checkAddress(): void {
    const last = this.#notFound.at(-1);
    if (last === undefined || this.parts > 0) return;
    const why = this.#hasTaken
      ? "nothing takes uploads any more at this address, which did before; see whether the API is down or has moved"
      : "nothing takes uploads at this address; check apiUrl";
    const reason = `answered ${last.status}: ${why}`;
    this.stop ??= { kind: "unreachable", reason };
  }

  postponed(session: SurveyedSession, reason: string): void {
    this.#postponed.push(note(session, reason));
  }

  /** Counts what is left of what the survey found waiting, and what it found failing. */
  countStates({ sessions, failedAgents }: Survey): void {
    for (const session of sessions) {
      const { state } = session;
      if (state.kind === "failing") this.#failures.push(note(session, state.reason));
      const { key } = session;
      if (state.kind !== "pending" || this.#completed.has(key) || this.#failed.has(key)) continue;
      const bytes = state.bytes - (this.#covered.get(key) ?? 0);
      if (bytes <= 0) continue;
      this.#left.sessions++;
      this.#left.bytes += bytes;
      if (state.settling) this.#left.settling++;
    }
    for (const { agentId, message } of failedAgents) {
      this.#failures.push({ agentId: agentId ?? "", sessionId: "", reason: message });
    }
  }

  /**
   * @param held why nothing was tried at all
   * @param settled see {@link RunReport}
   */
  finish(held: Tally["stop"], endedAt: number, settled: boolean): RunReport {
    const stop = held ?? this.stop ?? this.#neverArrived();
    const counts = this.#counts;
    const { raw, omitted, untyped, invalidUtf8, blank, redacted, withheld } = counts;
    // A session that is only being rewritten just now is no trouble.
    const trouble = this.#failures.length > 0 || this.exhausted.length > 0 || this.#rejected > 0;
    return {
      outcome: stop?.kind ?? (trouble ? "partial" : "done"),
      ...(stop === null ? {} : { reason: stop.reason }),
      trigger: this.#trigger,
      settled,
      startedAt: new Date(this.startedAt).toISOString(),
      endedAt: new Date(endedAt).toISOString(),
      sent: {
        sessions: this.#delivered.size,
        parts: this.parts,
        lines: sentLines(counts),
        messages: counts.messages,
        sourceBytes: [...this.#delivered.values()].reduce((sum, bytes) => sum + bytes, 0),
        wireBytes: this.wireBytes,
      },
      lines: {
        raw,
        omitted,
        untyped,
        invalidUtf8,
        blank,
        redacted,
        withheld,
        rejected: this.#rejected,
      },
      redactions: this.#redactions,
      failures: this.#failures.slice(0, MAX_REPORTED),
      failed: this.#failures.length,
      postponed: this.#postponed.slice(0, MAX_REPORTED),
      problems: [...this.#ledgerProblems, ...this.problems].slice(0, MAX_REPORTED),
      ...(isNothing(this.deletions) ? {} : { deletions: this.deletions }),
      ...(this.#lastAnswer === undefined ? {} : { lastAnswer: this.#lastAnswer }),
      warnings: [...this.#warnings],
      left: this.#left,
    };
  }

  /** Fewer sessions than it takes to give up, but none of them got through. */
  #neverArrived(): Tally["stop"] {
    if (this.#exhaustedInARow === 0 || this.parts > 0) return null;
    return { kind: "unreachable", reason: this.#postponed.at(-1)?.reason ?? "no answer" };
  }
}

function isNothing(report: DeletionReport | null): report is null {
  return report === null || report.done + report.pending === 0;
}

function note({ agentId, sessionId }: SurveyedSession, reason: string): SessionNote {
  return { agentId, sessionId, reason };
}
