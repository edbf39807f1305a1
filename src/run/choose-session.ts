import type { Config } from "../config/config.ts";
import { ambiguous, sessionsNamed } from "../discovery/select.ts";
import { InfluxionError } from "../shared/problem.ts";
import type { LookOptions } from "./options.ts";
import { readSessions, type SessionEntry } from "./session-states.ts";

/** Filters that spare the API what is hardly worth sending, and keep nothing private. */
const SPARING = new Set(["filter.minMessages", "filter.minBytes"]);

/**
 * The one session that a user calls `name` and that may be sent: whatever it waits for, but nothing
 * that a rule or `forget` keeps here.
 *
 * @throws {InfluxionError} `NO_SUCH_SESSION`, `AMBIGUOUS_SESSION` or `SESSION_EXCLUDED`
 * @throws what {@link readSessions} throws
 */
export async function chooseSession(options: LookOptions, name: string): Promise<SessionEntry> {
  const { sessions } = await readSessions(options);
  const named = sessionsNamed(sessions, name);
  const [session, ...others] = named;
  if (session === undefined) {
    const message = `no session is called "${name}"; it goes by its id, its key, its label or <agent>/<id>, which "openclaw influxion sessions" lists`;
    throw new InfluxionError("NO_SUCH_SESSION", message);
  }
  if (others.length > 0) throw ambiguous(name, named);
  const { state, key, reason } = session;
  if (state.kind === "skipped" && !SPARING.has(state.filter)) {
    throw new InfluxionError("SESSION_EXCLUDED", `${key} is not sent: ${reason}`);
  }
  return session;
}

/** The config to send a session with that its user has named: it may be a small one. */
export function withoutSparing(config: Config): Config {
  return { ...config, filter: { ...config.filter, minMessages: 0, minBytes: 0 } };
}
