import type { Config } from "../config/config.ts";
import type { DeletionReport } from "../run/deletions.ts";
import type { ForgetRequest, Forgotten, Selection } from "../run/forget.ts";
import { count, plain, plural, span } from "../shared/text.ts";
import { describeProblem } from "./sync-format.ts";
import { painter, type Terminal } from "./terminal.ts";

/** Sessions that are named one by one before they are forgotten; the others are counted. */
const NAMED = 5;

/** What a user is asked before anything is changed. */
export function formatQuestion(
  config: Config,
  request: ForgetRequest,
  selection: Selection,
): string {
  const { sessions } = selection;
  const who = whichSessions(request, selection);
  const where = `${plain(config.apiUrl)}, deployment ${plain(config.deploymentId)}`;
  if (request.undo) return `Send ${who} again, ${each(sessions.length)} (${where})?`;
  const asked = request.remote ? `; the API is asked to delete ${whatItHas(request)}` : "";
  return `Forget ${who} (${where})? No upload sends ${plural(sessions.length, "it", "them")} any more${asked}.`;
}

/** What was done, in sentences. */
export function formatForgotten(
  terminal: Pick<Terminal, "out">,
  config: Config,
  request: ForgetRequest,
  done: Forgotten,
): string {
  const { failures } = done;
  const paint = painter(terminal.out);
  const lines = [
    ...(request.undo ? undone(done) : forgotten(config, request, done, paint)),
    ...failures.map((one) =>
      paint("red", `Failed: ${describeProblem(one)}; what was not found is not forgotten`),
    ),
  ];
  return `${lines.join("\n")}\n`;
}

/** @param waitMs how long the next attempt waits */
export function describeRetry(reason: string, waitMs: number): string {
  return `${plain(reason)}; retrying ${waitMs < 1000 ? "now" : `in ${span(waitMs)}`}`;
}

type Paint = ReturnType<typeof painter>;

function forgotten(
  { apiUrl }: Config,
  request: ForgetRequest,
  { sessions, remote }: Forgotten,
  paint: Paint,
): string[] {
  const isAre = plural(sessions.length, "it is", "they are");
  return [
    `Forgot ${count(sessions.length, "session")}: ${isAre} not sent to ${plain(apiUrl)} any more. "--undo" takes that back.`,
    ...(remote === null
      ? ["What the API has already stays there; --remote deletes it."]
      : remoteLines(remote, paint)),
    whatStillGoes(request),
  ];
}

function remoteLines({ done, deleted, left, pending, reason }: DeletionReport, paint: Paint) {
  const lines: string[] = [];
  if (done > 0) lines.push(`The API deleted what it had of ${count(deleted, "session")}.`);
  if (left > 0) {
    lines.push(
      paint(
        "yellow",
        `It keeps something newer of ${count(left, "session")}, which was not sent from here: another machine uses the same deploymentId, or did.`,
      ),
    );
  }
  if (pending > 0) {
    const why = plain(reason ?? "");
    lines.push(
      `${paint("red", "Not deleted by the API")}: ${why}. The next uploads ask for it again.`,
    );
  }
  return lines;
}

function undone({ sessions, calledOff }: Forgotten): string[] {
  const it = plural(sessions.length, "goes", "go");
  const lines = [
    sessions.length === 0
      ? "Nothing of it was forgotten."
      : `${count(sessions.length, "session")} ${it} again with the next upload, ${each(sessions.length)}.`,
  ];
  if (calledOff > 0) {
    lines.push(
      `${count(calledOff, "deletion")} that the API had not confirmed ${plural(calledOff, "is", "are")} called off.`,
    );
  }
  return lines;
}

/** What is forgotten is what is there now. */
function whatStillGoes({ sessions, agent }: ForgetRequest): string {
  if (sessions !== undefined) {
    return "What OpenClaw begins under another id, such as after a daily reset, is another session; to keep that here too, add its key to filter.sessions.deny.";
  }
  return agent === undefined
    ? 'New sessions still go; to stop them all: "openclaw plugins disable influxion".'
    : `New sessions of this agent still go; to keep them here, add ${plain(JSON.stringify(agent))} to filter.agents.deny.`;
}

function whichSessions({ sessions: names, agent }: ForgetRequest, { sessions }: Selection): string {
  const counted = count(sessions.length, "session");
  if (names !== undefined) {
    const listed = sessions
      .slice(0, NAMED)
      .map(({ agentId, sessionId }) => `${agentId}/${sessionId}`);
    const more = sessions.length - listed.length;
    return plain(`${counted}, ${listed.join(", ")}${more > 0 ? ` and ${more} more` : ""}`);
  }
  return agent === undefined ? `all ${counted}` : plain(`${counted} of agent ${agent}`);
}

function whatItHas({ sessions, agent }: ForgetRequest): string {
  if (sessions !== undefined) return "what it has of that";
  return agent === undefined
    ? "all that it has of this deployment, also of sessions that are not here any more"
    : "all that it has of the agent, also of sessions that are not here any more";
}

const each = (sessions: number): string =>
  plural(sessions, "from its beginning", "each from its beginning");
