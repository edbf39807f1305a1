import type { IncomingMessage } from "node:http";
import { count } from "../shared/text.ts";
import type { Deleted, Deletion } from "./backend.ts";
import { Refusal } from "./refusal.ts";
import { integerOf } from "./request.ts";

/** The parameters that belong to each scope, beside `scope` itself: docs/wire.md, "Deletions". */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  session: ["deploymentId", "projectId", "agentId", "sessionId", "through"],
  agent: ["deploymentId", "projectId", "agentId", "through"],
  deployment: ["deploymentId", "projectId", "through"],
};

/**
 * Reads what a request wants deleted. Nothing is left to guess: a parameter that was lost on the way
 * must not make a larger deletion of a smaller one.
 * @throws {Refusal} 400 `MALFORMED_QUERY`
 */
export function readDeletion({ url = "" }: Pick<IncomingMessage, "url">): Deletion {
  const query = queryIn(url);
  const scope = oneOf(query, "scope");
  const names = Object.hasOwn(PARAMETERS, scope) ? PARAMETERS[scope] : undefined;
  if (names === undefined) throw malformed("scope must be session, agent or deployment");
  for (const name of query.keys()) {
    if (name !== "scope" && !names.includes(name)) {
      throw malformed(`scope ${scope} has ${names.join(", ")} beside it, and nothing else`);
    }
  }
  const all = {
    projectId: oneOf(query, "projectId"),
    deploymentId: oneOf(query, "deploymentId"),
    through: throughIn(query),
  };
  if (!names.includes("agentId")) return all;
  const ofAgent = { ...all, agentId: oneOf(query, "agentId") };
  if (!names.includes("sessionId")) return ofAgent;
  return { ...ofAgent, sessionId: oneOf(query, "sessionId") };
}

/** One line about a deletion. It does not say what is to be forgotten. */
export function describeDeletion({ agentId, sessionId }: Deletion, done: Deleted): string {
  const of = agentId === undefined ? "a deployment" : "an agent";
  const scope = sessionId === undefined ? `the sessions of ${of}` : "a session";
  const left = done.left === 0 ? "" : `; something newer stays of ${count(done.left, "session")}`;
  return `deletion of ${scope}: ${count(done.deleted, "session")} deleted${left}`;
}

function queryIn(url: string): URLSearchParams {
  const at = url.indexOf("?");
  const text = at < 0 ? "" : url.slice(at + 1);
  try {
    // `URLSearchParams` would put U+FFFD in the place of what is no UTF-8.
    decodeURIComponent(text);
  } catch (error) {
    throw malformed("it must be UTF-8, encoded as application/x-www-form-urlencoded", error);
  }
  return new URLSearchParams(text);
}

function oneOf(query: URLSearchParams, name: string): string {
  const [value = "", ...others] = query.getAll(name);
  if (value !== "" && others.length === 0) return value;
  throw malformed(`${name} must be there once, and not be empty`);
}

function throughIn(query: URLSearchParams): number {
  const through = integerOf(oneOf(query, "through"));
  if (through !== undefined) return through;
  throw malformed(`through must be a decimal integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
}

/** Without the query: its ids are what is to be forgotten. */
function malformed(why: string, cause?: unknown): Refusal {
  return new Refusal(400, "MALFORMED_QUERY", `the query is no deletion: ${why}`, { cause });
}
