import type { Config } from "../config/config.ts";
import { readSessions, type SessionEntry, type SessionStates } from "../run/session-states.ts";
import { plain } from "../shared/text.ts";
import { checkAgent } from "./check-agent.ts";
import type { LocalCommand } from "./command-input.ts";
import { describeMissing } from "./describe-missing.ts";
import { describeFailure, EXIT } from "./exit.ts";
import { Output } from "./output.ts";
import { formatCounts, formatSession, STATES, type StateKind } from "./sessions-format.ts";
import { describeProblem, noSessions, noteLines } from "./sync-format.ts";
import { painter, writeJson } from "./terminal.ts";
import { formatUnconfigured } from "./unconfigured.ts";
import { wrapLines } from "./wrap.ts";

/** As the user gave them. */
export interface SessionsFlags extends Partial<Record<StateKind, boolean>> {
  /** Only this agent's, by any of its names. */
  readonly agent?: string;
  readonly json?: boolean;
}

export type SessionsOptions = Omit<LocalCommand<SessionsFlags>, "secrets">;

/**
 * `openclaw influxion sessions`: every session with its state and why. Reads no network, and changes
 * nothing. Returns the exit code, see {@link EXIT}.
 */
export async function sessions(options: SessionsOptions): Promise<number> {
  const { setup, flags, context, terminal } = options;
  const { config, missing } = setup;
  const { json = false } = flags;
  if (!config.ok) {
    if (json) writeJson(terminal, { outcome: "not-configured", configProblems: config.problems });
    const title = "Nothing can be listed: the config has to be corrected.";
    terminal.err.write(formatUnconfigured(title, config, terminal.err));
    return EXIT.usage;
  }
  if (missing.length > 0) terminal.err.write(`${describeMissing(missing)}\n`);
  try {
    return await list(options, config.config);
  } catch (error) {
    if (context.signal.aborted) return EXIT.interrupted;
    const { exitCode, ...failure } = describeFailure(error);
    if (json) writeJson(terminal, { outcome: "error", error: failure, exitCode });
    const what = painter(terminal.err)("red", "Nothing can be listed");
    terminal.err.write(`${what}: ${plain(failure.message)}\n`);
    return exitCode;
  }
}

async function list(options: SessionsOptions, config: Config): Promise<number> {
  const { setup, flags, context, terminal } = options;
  const { stateDir, layout } = setup;
  const { agent, json = false } = flags;
  if (agent !== undefined) await checkAgent(setup, context, config, agent);
  const found = await readSessions({ ...context, stateDir, layout, config, agentId: agent });
  const exitCode = found.failures.length > 0 ? EXIT.partial : EXIT.done;
  const chosen = chosenOf(found.sessions, flags);
  if (json) {
    const { problems, failures } = found;
    writeJson(terminal, { exitCode, sessions: chosen.map(toJson), problems, failures });
  } else {
    await print(options, found, chosen);
  }
  return exitCode;
}

/** What was asked for, state by state. */
function chosenOf(all: readonly SessionEntry[], flags: SessionsFlags): SessionEntry[] {
  const asked = STATES.filter((kind) => flags[kind] === true);
  const kinds = asked.length === 0 ? STATES : asked;
  return kinds.flatMap((kind) => all.filter(({ state }) => state.kind === kind));
}

async function print(
  { setup, terminal }: SessionsOptions,
  { sessions: all, problems, failures }: SessionStates,
  chosen: readonly SessionEntry[],
): Promise<void> {
  const output = new Output(terminal.out);
  for (const session of chosen) await output.write(formatSession(session, terminal));
  const lines = [
    ...(chosen.length === 0 ? [] : [""]),
    all.length === 0 ? noSessions(setup.stateDir) : formatCounts(all),
    ...failures.map((one) => `Failed: ${describeProblem(one)}`),
    ...noteLines({ problems }),
  ];
  await output.write(`${wrapLines(lines, terminal.out)}\n`);
}

function toJson(session: SessionEntry): unknown {
  const { agentId, sessionId, sessionKey, label, title, bytes, state, reason } = session;
  const { kind, ...details } = state;
  return {
    agentId,
    sessionId,
    sessionKey,
    label,
    title,
    changedAt: new Date(session.changedAt).toISOString(),
    bytes,
    state: kind,
    reason,
    details,
    sentLines: session.sentLines,
    triedAt: session.triedAt === null ? null : new Date(session.triedAt).toISOString(),
  };
}
