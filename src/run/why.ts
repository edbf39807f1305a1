import type { FilterOptions } from "../config/config.ts";
import type { SessionState } from "../discovery/examine.ts";
import type { SessionKind } from "../shared/session-kind.ts";
import { bytes, clockTime, count, when } from "../shared/text.ts";

/** What is known of a session that says why it is in its state. */
export interface KnownOfSession {
  readonly state: SessionState;
  /** Of all of it. */
  readonly bytes: number;
  /** Lines that have arrived. */
  readonly sentLines: number;
  /** When a part of it was last tried, in ms since the epoch. */
  readonly triedAt: number | null;
  /** The line that is sent next, where it is pending. */
  readonly fromLine: number;
  readonly kinds: readonly SessionKind[];
  /** When it began, in ms since the epoch, where that is known. */
  readonly startTime: number | undefined;
  /** The pattern that excludes it. */
  readonly pattern: string | undefined;
  /** ms since the epoch */
  readonly forgottenAt: number | undefined;
  /** It was forgotten because OpenClaw has deleted it. */
  readonly isDeleted: boolean;
  /** Why the last run could not send it. */
  readonly failed: string | undefined;
}

type Of<Kind> = Extract<SessionState, { kind: Kind }>;

/** Why a session is in its state, and what comes next, as a clause. @param now ms since the epoch */
export function describeState(known: KnownOfSession, filter: FilterOptions, now: number): string {
  const { state } = known;
  switch (state.kind) {
    case "uploaded":
      return uploaded(state, known, now);
    case "pending":
      return pending(state, known);
    case "skipped":
      return `${skipped(state, known, filter, now)}${sentBefore(known)}`;
    case "failing":
      return `${failing(state, now)}${sentBefore(known)}`;
  }
}

function uploaded(
  { growing }: Of<"uploaded">,
  { sentLines, triedAt }: KnownOfSession,
  now: number,
): string {
  const at = triedAt === null ? "" : `, last ${when(triedAt, now)}`;
  const rest = growing ? "; its last line is still being written" : "";
  return `${count(sentLines, "line")} sent${at}${rest}`;
}

function pending({ bytes: size, settling }: Of<"pending">, known: KnownOfSession): string {
  if (settling) return "OpenClaw is writing it, so it is looked at again later";
  const what =
    known.fromLine === 0
      ? "all of it to send"
      : `${bytes(size)} to send, from line ${known.fromLine}`;
  const failed = known.failed === undefined ? "" : `; the last run failed: ${known.failed}`;
  return `${what}${failed}`;
}

function failing({ reason, retryAt }: Of<"failing">, now: number): string {
  if (retryAt === undefined) return reason;
  return `${reason}; tried again at ${clockTime(retryAt, now)}, ${when(retryAt, now)}`;
}

/** The rule that excludes it, with its value. */
function skipped(
  { filter: rule, messages }: Of<"skipped">,
  known: KnownOfSession,
  filter: FilterOptions,
  now: number,
): string {
  switch (rule) {
    case "filter.minMessages":
      return `${count(messages ?? 0, "message")}, ${rule} is ${filter.minMessages}`;
    case "filter.minBytes":
      return `${count(known.bytes, "byte")}, ${rule} is ${filter.minBytes}`;
    case "filter.since":
      return `began ${beginning(known.startTime)}, ${rule} is ${filter.since}`;
    case "filter.kinds":
      return `${kindsOf(known.kinds, filter.kinds)}, ${rule} is ${listed(filter.kinds)}`;
    case "filter.agents.deny":
      return `its agent is denied by ${pattern(known, filter.agents.deny)} in ${rule}`;
    case "filter.sessions.deny":
      return `denied by ${pattern(known, filter.sessions.deny)} in ${rule}`;
    case "filter.agents.allow":
      return `its agent is not among ${rule}, ${listed(filter.agents.allow)}`;
    case "filter.sessions.allow":
      return `not among ${rule}, ${listed(filter.sessions.allow)}`;
    case "forget":
      return forgotten(known, now);
  }
}

const beginning = (startTime: number | undefined): string =>
  startTime === undefined ? "before that" : `${new Date(startTime).toISOString().slice(0, 16)}Z`;

function kindsOf(kinds: readonly SessionKind[], excluded: readonly SessionKind[]): string {
  return `of the kind ${kinds.filter((kind) => excluded.includes(kind)).join(" and ")}`;
}

const pattern = (known: KnownOfSession, all: readonly string[]): string =>
  known.pattern === undefined ? listed(all) : JSON.stringify(known.pattern);

/** Patterns that are named one by one. */
const NAMED = 4;

function listed(patterns: readonly string[]): string {
  const more = patterns.length - NAMED;
  const names = patterns.slice(0, NAMED).map((one) => JSON.stringify(one));
  return `[${names.join(", ")}${more > 0 ? `, and ${more} more` : ""}]`;
}

function forgotten({ forgottenAt, isDeleted }: KnownOfSession, now: number): string {
  if (forgottenAt === undefined) return "forgotten with another agent's";
  if (isDeleted) return "deleted in OpenClaw";
  return `forgotten ${when(forgottenAt, now)}; "openclaw influxion forget --undo" takes that back`;
}

const sentBefore = ({ sentLines }: KnownOfSession): string =>
  sentLines === 0 ? "" : `; ${count(sentLines, "line")} of it sent before`;
