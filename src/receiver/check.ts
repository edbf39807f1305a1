import type { IncomingHttpHeaders } from "node:http";
import { CHECK_HEADER, CHECK_OK, type CheckAnswer } from "../protocol/wire.ts";
import type { Grant } from "./access.ts";
import { Refusal } from "./refusal.ts";

/** Whether a request asks only if uploads with its key would be taken, see docs/wire.md. */
export function isCheck(headers: IncomingHttpHeaders): boolean {
  return headers[CHECK_HEADER] !== undefined;
}

/**
 * Answers a check. Nothing of the request's body is read, and nothing stored.
 * @throws {Refusal} 403 `PROJECT_NOT_ALLOWED`
 */
export function answerCheck(url: string | undefined, grant: Grant): CheckAnswer {
  const projectId = new URLSearchParams(url?.split("?", 2)[1]).get("projectId");
  if (projectId !== null && !grant.allows(projectId)) {
    const message = "the API key is not for the project that the check names";
    throw new Refusal(403, "PROJECT_NOT_ALLOWED", message);
  }
  return CHECK_OK;
}
