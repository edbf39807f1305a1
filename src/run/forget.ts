import type { Config } from "../config/config.ts";
import { createFilter, isNamed } from "../config/filter.ts";
import {
  ambiguous,
  type KnownSession,
  listKnown,
  recordedSession,
  sessionsNamed,
} from "../discovery/select.ts";
import { Ledger } from "../ledger/ledger.ts";
import { type LockOwner, takeLock } from "../ledger/lock.ts";
import type { DeletionScope } from "../ledger/schema.ts";
import { sessionKey } from "../ledger/session-key.ts";
import type { TargetRecords } from "../ledger/target.ts";
import { isAgentId, normalizeAgentId } from "../shared/agent-id.ts";
import type { Clock } from "../shared/clock.ts";
import { InfluxionError, type Problem } from "../shared/problem.ts";
import { isSessionId } from "../shared/session-id.ts";
import { findAgents } from "../stores/agents.ts";
import type { HostLayout } from "../stores/layout.ts";
import type { HostProxy } from "../upload/proxy.ts";
import { type DeletionReport, sendDeletions } from "./deletions.ts";

/** What a user wants to be forgotten: these sessions, or all of an agent, or everything. */
export interface ForgetRequest {
  /** Each by its id, key, label or display name, or as `<agentId>/<sessionId>`. */
  readonly sessions?: readonly string[] | undefined;
  /** By any of its names; with `sessions`, the agent that these are of. */
  readonly agent?: string | undefined;
  /** Also what the API has; then an agent or session may be one that is not known here any more. */
  readonly remote: boolean;
  /** Take it back instead. */
  readonly undo: boolean;
}

export interface ForgetOptions extends Clock {
  readonly stateDir: string;
  readonly layout?: HostLayout | undefined;
  readonly config: Config;
  readonly request: ForgetRequest;
  readonly signal: AbortSignal;
}

/** What a request is about. */
export interface Selection {
  /** What the API is asked for. */
  readonly scopes: readonly DeletionScope[];
  readonly sessions: readonly KnownSession[];
  /** What could not be looked at, so that there may be more sessions. */
  readonly failures: readonly Problem[];
}

/** What is needed to carry it out. */
export interface ForgetRun extends ForgetOptions {
  readonly apiKey: string;
  readonly proxy?: HostProxy | undefined;
  /** How long to wait for an upload that is going on, in ms. */
  readonly lockWaitMs: number;
  readonly random: () => number;
  readonly onWait?: (owner: LockOwner) => void;
  /** Notified why an attempt failed and how long the next one waits, in ms. */
  readonly onRetry?: (reason: string, waitMs: number) => void;
}

export interface Forgotten extends Selection {
  /** Null where the API was not asked. */
  readonly remote: DeletionReport | null;
  /** Deletions that the API had not confirmed, and is not asked for any more. */
  readonly calledOff: number;
}

/**
 * What a request is about now; changes nothing.
 *
 * @throws {InfluxionError} `NO_SUCH_AGENT`, `NO_SUCH_SESSION` or `AMBIGUOUS_SESSION`
 * @throws {LedgerError} when the ledger cannot be read
 */
export async function previewForget(options: ForgetOptions): Promise<Selection> {
  const { stateDir, config, now } = options;
  const ledger = await Ledger.open({ stateDir, now, readOnly: true });
  return await select(options, ledger.target(config));
}

/**
 * Carries a request out, as nobody uploads. What is forgotten is written down first, and with it
 * what the API is to delete: a crash at any instant leaves neither a session that is sent
 * again nor a deletion that nobody asks for any more.
 *
 * @param preview what was found before; sessions that were named are those
 * @throws {LockedError} when another process uploads
 * @throws {LedgerError} when the ledger cannot be read or written
 */
export async function forget(options: ForgetRun, preview: Selection): Promise<Forgotten> {
  const { stateDir, config, request, lockWaitMs, signal, onWait, now } = options;
  await using lock = await takeLock({
    stateDir,
    role: "command",
    waitMs: lockWaitMs,
    signal,
    ...(onWait === undefined ? {} : { onWait }),
  });
  const ledger = await Ledger.open({ stateDir, now, lock });
  const target = ledger.target(config);
  const isNamedOnly = request.sessions !== undefined;
  const selection = isNamedOnly ? preview : await select(options, target);
  signal.throwIfAborted();
  const before = target.deletions.pending.length;
  if (request.undo) takeBack(target, selection);
  else writeDown(ledger, target, selection, request.remote);
  await ledger.save();
  const calledOff = request.undo ? before - target.deletions.pending.length : 0;
  const asks = request.remote && !request.undo;
  const remote = asks
    ? await sendDeletions({ ...options, ledger, target, retryBackedOff: true })
    : null;
  return { ...selection, remote, calledOff };
}

function writeDown(
  ledger: Ledger,
  target: TargetRecords,
  { scopes, sessions }: Selection,
  remote: boolean,
): void {
  for (const { key, agentId, sources } of sessions) {
    target.forget(key);
    for (const source of sources) ledger.forgetLegacy(agentId, source);
  }
  for (const scope of remote ? scopes : []) target.deletions.plan(scope);
}

function takeBack(target: TargetRecords, { scopes, sessions }: Selection): void {
  for (const { key } of sessions) target.remember(key);
  for (const scope of scopes) target.deletions.cancel(scope);
}

async function select(options: ForgetOptions, target: TargetRecords): Promise<Selection> {
  const { request, config, signal, now } = options;
  // What filters exclude is listed, too: it may have been sent before.
  const filter = { ...createFilter(config.filter, now()), needsNames: true, needsAllNames: true };
  // How large they are is not asked for.
  const look = { ...options, filter, countExcluded: true, knownBytes: () => 0 };
  await using found = await findAgents(look);
  const { sessions: all, failures } = await listKnown(found.agents, target, signal);
  const sessions = request.undo ? all.filter(({ key }) => target.isForgotten(key)) : all;
  const agentId = agentOf(request, found.agents, all);
  const ofAgent = sessions.filter((one) => agentId === undefined || one.agentId === agentId);
  if (request.sessions !== undefined) {
    const each = request.sessions.map((name) => sessionOf(name, request, ofAgent, agentId));
    const named = [...new Map(each.map((one) => [one.key, one])).values()];
    return { scopes: named.map(scopeOf), sessions: named, failures: [] };
  }
  const scope = agentId === undefined ? {} : { agentId };
  const missed = [...found.failures, ...failures].filter(
    (one) => agentId === undefined || one.agentId === undefined || one.agentId === agentId,
  );
  return { scopes: [scope], sessions: ofAgent, failures: request.undo ? [] : missed };
}

const scopeOf = ({ agentId, sessionId }: KnownSession): DeletionScope => ({ agentId, sessionId });

/** The id of the agent that the request names; undefined when it names none. */
function agentOf(
  { agent: name, remote }: ForgetRequest,
  agents: readonly { readonly agentId: string; readonly names: readonly string[] }[],
  sessions: readonly KnownSession[],
): string | undefined {
  if (name === undefined) return undefined;
  const there = agents.find(({ names }) => isNamed(names, name));
  if (there !== undefined) return there.agentId;
  const id = normalizeAgentId(name);
  if (sessions.some(({ agentId }) => agentId === id)) return id;
  if (remote && isAgentId(name.trim())) return id;
  const ids = new Set([...agents, ...sessions].map(({ agentId }) => agentId));
  const known = ids.size === 0 ? "none is known here" : `there are: ${[...ids].sort().join(", ")}`;
  throw new InfluxionError("NO_SUCH_AGENT", `no agent "${name}"; ${known}`);
}

/** The one session that a user calls `name`. */
function sessionOf(
  name: string,
  request: ForgetRequest,
  sessions: readonly KnownSession[],
  agentId: string | undefined,
): KnownSession {
  const named = sessionsNamed(sessions, name);
  const [session, ...others] = named;
  if (session !== undefined && others.length === 0) return session;
  if (session !== undefined) throw ambiguous(name, named);
  const unknown = request.remote && !request.undo ? unknownSession(name, agentId) : null;
  if (unknown !== null) return unknown;
  const which = request.undo ? "no forgotten session is" : "no session is";
  const message = `${which} called "${name}"; name its id, key, label or display name, or with --remote, as <agent>/<id>, one that only the API knows`;
  throw new InfluxionError("NO_SUCH_SESSION", message);
}

/** One that only the API may know, by its full name. */
function unknownSession(name: string, agentId: string | undefined): KnownSession | null {
  const key = agentId === undefined ? name.trim() : sessionKey(agentId, name.trim());
  const session = recordedSession(key);
  return isAgentId(session.agentId) && isSessionId(session.sessionId) ? session : null;
}
