import type { Filter, FilterName, SessionNames, UnmatchedPattern } from "./filter.ts";
import { type Ledger, recordOf, sessionKey } from "./ledger/ledger.ts";
import type { SessionRecord, StreamRecord } from "./ledger/records.ts";
import type { Target } from "./ledger/schema.ts";
import { deliveredMessages, hasEnoughMessages } from "./messages.ts";
import { errnoOf, type Problem, SourceChangedError, StoreError } from "./problem.ts";
import { resolveStream } from "./resolve.ts";
import type { Agent } from "./stores/agents.ts";
import {
  isAtRest,
  MAX_LINE_BYTES,
  MAX_PART_BYTES,
  type Reader,
  type Store,
  type Stream,
} from "./stores/store.ts";
import { MAX_ASIDE_MS } from "./upload/aside.ts";

/** A session is in exactly one of these states. */
export type SessionState =
  /** `growing`: its last line is still being written. */
  | { readonly kind: "uploaded"; readonly growing: boolean }
  /** `settling`: the host is rewriting it; it is looked at again later. */
  | { readonly kind: "pending"; readonly bytes: number; readonly settling: boolean }
  | { readonly kind: "skipped"; readonly filter: FilterName }
  | { readonly kind: "failing"; readonly reason: string; readonly retryAt?: number };

/** A stream with something to send. */
export interface PendingStream {
  readonly store: Store;
  readonly stream: Stream;
  readonly record: StreamRecord;
  /** Bytes of source after the record's position. */
  readonly bytes: number;
}

export interface SurveyedSession {
  /** `<agentId>/<sessionId>` */
  readonly key: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly changedAt: number;
  readonly state: SessionState;
  /** In the order of delivery; empty unless the state is pending. */
  readonly pending: readonly PendingStream[];
}

export interface Survey {
  readonly sessions: SurveyedSession[];
  readonly problems: Problem[];
  /** Agents that were listed completely; only their vanished sessions can be told. */
  readonly listed: ReadonlySet<string>;
  /** Stores with sessions in them, by agent. */
  readonly filled: ReadonlyMap<string, readonly Store[]>;
  /** Agents, or something of theirs, that could not be looked at; without an id, there may be more agents. */
  readonly failedAgents: readonly Problem[];
}

export interface SurveyOptions {
  readonly agents: readonly Agent[];
  /** Why there may be more agents. */
  readonly failures: readonly Problem[];
  readonly filter: Filter;
  readonly ledger: Ledger;
  readonly target: Target;
  /** Also look at sessions that were put aside and are not due yet. */
  readonly retryAside: boolean;
  readonly now: () => number;
  readonly signal?: AbortSignal | undefined;
}

interface Found {
  readonly store: Store;
  readonly stream: Stream;
}

/**
 * Finds every session and decides its state. Unchanged sessions cost a `stat` and
 * a comparison; nothing is sent. Records of the ledger are brought up to date in
 * memory, which is harmless for a caller that never saves.
 */
export async function survey(options: SurveyOptions): Promise<Survey> {
  const sessions: SurveyedSession[] = [];
  const problems: Problem[] = [];
  const listed = new Set<string>();
  const filled = new Map<string, Store[]>();
  const failedAgents: Problem[] = [...options.failures];
  for (const agent of options.agents) {
    const groups = new Map<string, Found[]>();
    const stores: Store[] = [];
    filled.set(agent.agentId, stores);
    // Of an agent that is excluded nothing is forgotten, and no failure matters.
    const failed = (...failures: readonly Problem[]): unknown =>
      agent.excludedBy === null && failedAgents.push(...failures);
    let whole = agent.failures.length === 0 && agent.excludedBy === null;
    failed(...agent.failures);
    for (const store of agent.stores) {
      try {
        const listing = await store.list(options.signal);
        problems.push(...listing.problems);
        failed(...listing.failures);
        whole &&= listing.failures.length === 0;
        if (listing.streams.length > 0) stores.push(store);
        for (const stream of listing.streams) {
          const group = groups.get(stream.sessionId);
          if (group === undefined) groups.set(stream.sessionId, [{ store, stream }]);
          else group.push({ store, stream });
        }
      } catch (error) {
        if (!(error instanceof StoreError || error instanceof SourceChangedError)) throw error;
        whole = false;
        failed({ code: error.code, agentId: agent.agentId, message: error.message });
      }
    }
    if (whole) listed.add(agent.agentId);
    for (const [sessionId, group] of groups) {
      options.signal?.throwIfAborted();
      const session = await examine(options, agent, sessionId, group, problems);
      if (session !== null) sessions.push(session);
    }
  }
  return { sessions, problems, listed, filled, failedAgents };
}

async function examine(
  options: SurveyOptions,
  { agentId, names: agentNames }: Agent,
  sessionId: string,
  group: Found[],
  problems: Problem[],
): Promise<SurveyedSession | null> {
  const { filter, target, now } = options;
  const key = sessionKey(agentId, sessionId);
  group.sort((a, b) => (a.stream.rank < b.stream.rank ? -1 : 1));
  const changedAt = Math.max(...group.map(({ stream }) => stream.changedAt));
  const session = (state: SessionState, pending: PendingStream[] = []): SurveyedSession => ({
    key,
    agentId,
    sessionId,
    changedAt,
    state,
    pending,
  });

  const byName = filter.byName(agentNames, namesOf(sessionId, group));
  if (byName.kind === "excluded") return session({ kind: "skipped", filter: byName.filter });
  if (byName.kind === "undecidable") return session({ kind: "failing", reason: byName.reason });
  const known = target.sessions[key];
  const aside = known?.aside;
  if (aside !== undefined && isAhead(aside.retryAt, now(), MAX_ASIDE_MS) && !options.retryAside) {
    return session({ kind: "failing", reason: aside.reason, retryAt: aside.retryAt });
  }
  const signature = group.map(({ stream }) => stream.signature).join("|");
  if (known !== undefined) {
    delete known.missingSince;
    if (isIdle(known, group)) return session({ kind: "uploaded", growing: false });
    if (isHeld(known, signature, filter.minMessages)) {
      return session({ kind: "skipped", filter: "filter.minMessages" });
    }
  }
  const begun = Object.values(known?.streams ?? {}).some(({ position }) => position.lines > 0);
  const size = group.reduce((sum, { stream }) => sum + stream.bytes, 0);
  const bySize = begun ? null : filter.bySize(size);
  if (bySize !== null) return session({ kind: "skipped", filter: bySize });

  const record = known ?? recordOf(target, key);
  const readers: Reader[] = [];
  try {
    const look = await lookAtStreams(options, record, group, readers, problems);
    if (look.settling) return session({ kind: "pending", bytes: look.bytes, settling: true });
    if (look.pending.length === 0) return session({ kind: "uploaded", growing: look.growing });
    const { minMessages } = filter;
    const { held, passes, searching } = await hasEnoughMessages(
      { ...options, minMessages },
      record,
      look.pending,
    );
    if (!passes && searching) {
      return session({ kind: "pending", bytes: look.bytes, settling: true });
    }
    if (!passes) {
      const first = look.pending[0]?.record;
      if (first !== undefined && group.every(({ stream }) => isAtRest(stream, now()))) {
        first.idle = { signature, held, bytes: size };
        options.ledger.changed();
      }
      return session({ kind: "skipped", filter: "filter.minMessages" });
    }
    // Without the readers: a survey of ten thousand sessions does not keep as many of them.
    const pending = look.pending.map(({ reader: _, ...rest }) => rest);
    return session({ kind: "pending", bytes: look.bytes, settling: false }, pending);
  } catch (error) {
    // Rewritten or removed while it was looked at: look again later.
    if (error instanceof SourceChangedError) {
      return session({ kind: "pending", bytes: size, settling: true });
    }
    const reason = readFailure(error);
    if (reason === null) throw error;
    if (error instanceof StoreError && error.code === "NOT_A_SESSION") {
      // The first bytes of a session that is being (re)written look like nothing yet.
      if (!isAtRest({ changedAt }, now())) {
        return session({ kind: "pending", bytes: size, settling: true });
      }
      if (begun) return session({ kind: "failing", reason });
      delete target.sessions[key];
      problems.push({ code: error.code, agentId, message: error.message });
      return null;
    }
    return session({ kind: "failing", reason });
  } finally {
    await Promise.allSettled(readers.map((reader) => reader.close()));
  }
}

/**
 * Patterns of the filters that matched nothing in a look at everything. None while something
 * could not be looked at, or there is nothing yet that could match.
 */
export function unmatchedPatterns(
  filter: Filter,
  { sessions, failedAgents }: Pick<Survey, "sessions" | "failedAgents">,
): UnmatchedPattern[] {
  return sessions.length === 0 || failedAgents.length > 0 ? [] : filter.unmatched();
}

/** Whether an instant is still to come; one that is further ahead than any is set is from a clock that was wrong. */
export function isAhead(instant: number, now: number, mostMs: number): boolean {
  return instant > now && instant <= now + mostMs;
}

/** Every stream was looked at before, as it is now, and left nothing to send. */
function isIdle(record: SessionRecord, group: Found[]): boolean {
  return group.every(({ stream }) => isIdleStream(record, stream));
}

function isIdleStream(record: SessionRecord, { source, signature }: Stream): boolean {
  const idle = record.streams[source]?.idle;
  return idle?.signature === signature && idle.held === undefined;
}

/** The same look found too few messages before, and still does under today's filter. */
function isHeld(record: SessionRecord, signature: string, minMessages: number): boolean {
  return Object.values(record.streams).some(
    ({ idle }) =>
      idle?.held !== undefined &&
      idle.signature === signature &&
      deliveredMessages(record) + idle.held < minMessages,
  );
}

interface OpenStream extends PendingStream {
  readonly reader: Reader;
}

interface Look {
  readonly pending: OpenStream[];
  readonly bytes: number;
  readonly growing: boolean;
  readonly settling: boolean;
}

async function lookAtStreams(
  options: SurveyOptions,
  record: SessionRecord,
  group: Found[],
  readers: Reader[],
  problems: Problem[],
): Promise<Look> {
  const pending: OpenStream[] = [];
  let bytes = 0;
  let growing = false;
  let searching = false;
  for (const { store, stream } of group) {
    // A database continues a file where the file ended: that is known once the file has been delivered.
    const before = pending.at(-1);
    if (before !== undefined && before.store.kind !== store.kind) break;
    if (isIdleStream(record, stream)) continue;

    const reader = await store.open(stream, options.signal);
    readers.push(reader);
    const resolved = await resolveStream({ ...options, record, store, stream, reader });
    if (resolved === "unsettled") {
      return { pending: [], bytes: Math.max(bytes, stream.bytes), growing, settling: true };
    }
    const left = await reader.bytesAfter(resolved.position.offset);
    const { searched } = resolved;
    const cut = await reader.cut(resolved.position.offset, { maxBytes: MAX_PART_BYTES, searched });
    if (cut.kind === "unfinished") {
      resolved.searched = cut.searched;
      options.ledger.changed();
      bytes += left;
      searching = true;
      continue;
    }
    if (cut.kind === "end") {
      growing ||= cut.torn;
      if (cut.cutOff !== undefined) {
        // Not remembered as idle, so that it is told each time.
        problems.push(neverFinished(stream, cut.cutOff));
        continue;
      }
      // A torn line may be whole once the file has come to rest, which no signature tells; but not one beyond the cap.
      const settled = !cut.torn || left > MAX_LINE_BYTES;
      if (settled && isAtRest(stream, options.now())) {
        resolved.idle = { signature: stream.signature, bytes: stream.bytes };
        options.ledger.changed();
      }
      continue;
    }
    delete resolved.idle;
    bytes += left;
    pending.push({ store, stream, record: resolved, bytes: left, reader });
  }
  return { pending, bytes, growing, settling: searching && pending.length === 0 };
}

function neverFinished({ agentId, sessionId, source }: Stream, bytes: number): Problem {
  const message = `${source}: its last line, ${bytes} bytes long, was never finished and is not sent`;
  return { code: "LINE_CUT_OFF", agentId, sessionId, message };
}

/** All that a session is called by any of its streams. */
function namesOf(sessionId: string, group: Found[]): SessionNames {
  const streams = group.map(({ stream }) => stream);
  return {
    sessionId,
    names: streams.flatMap(({ names }) => names),
    namesUnknown: streams.find(({ namesUnknown }) => namesUnknown !== undefined)?.namesUnknown,
    agentUnknown: streams.find(({ agentUnknown }) => agentUnknown !== undefined)?.agentUnknown,
  };
}

/** Words for a failure to read one session; null when it is not about that session. */
export function readFailure(error: unknown): string | null {
  if (error instanceof StoreError) return error.message;
  const code = errnoOf(error);
  return /^E[A-Z]+$/.test(code) ? `cannot be read (${code})` : null;
}
