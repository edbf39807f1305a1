import type { IncomingMessage, ServerResponse } from "node:http";
import type { Coding, Receipt } from "../protocol/wire.ts";
import { errnoOf } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import { answer } from "./answer.ts";
import type { Backend, Stored } from "./backend.ts";
import { readBody } from "./body.ts";
import { createDecoder } from "./codings.ts";
import { describe } from "./format.ts";
import type { PartLimits } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import { checkFirstLine, checkHeaders, keyCheck } from "./request.ts";

export type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** What the answers to requests depend on. */
export interface HandlerOptions {
  readonly key: string;
  /** Content codings that a body may have; told in answers. */
  readonly codings: readonly Coding[];
  readonly limits: PartLimits;
  readonly log: (line: string) => void;
}

/** Takes one part per request; the promise ends when its answer is out, and never fails. */
export function createHandler(
  backend: Backend,
  { key, codings, limits, log }: HandlerOptions,
): Handler {
  const isKey = keyCheck(key);
  /** What a client may use for its next request (RFC 9110, 12.5.3). */
  const advertised = { "accept-encoding": codings.join(", ") };

  async function receive(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { coding, firstLine, ...name } = checkHeaders(req, isKey);
    const decoder = createDecoder(coding, codings);
    await using draft = await backend.begin(name);
    const part = await readBody(req, draft, { decoder, limits, admit: () => undefined });
    checkFirstLine(firstLine, part.firstLine);
    const stored = await draft.commit(part);
    log(describe(part, stored));
    await answer(req, res, 200, receiptOf(stored), advertised);
  }

  async function refuse(req: IncomingMessage, res: ServerResponse, error: unknown): Promise<void> {
    const refusal = refusalOf(req, error);
    backend.countRefusal(refusal.code, refusal.message);
    log(`refused with ${refusal.status} ${refusal.code}: ${plain(refusal.message)}`);
    const body = { error: { code: refusal.code, message: refusal.message } };
    // In a 415 the header says that the coding was the trouble, so one for another reason
    // must not have it (RFC 9110, 12.5.3).
    const headers =
      refusal.code === "CONTENT_TYPE" ? refusal.headers : { ...advertised, ...refusal.headers };
    await answer(req, res, refusal.status, body, headers);
  }

  return async (req, res) => {
    try {
      await receive(req, res).catch((error) => refuse(req, res, error));
    } catch {
      // No answer means "try again".
      res.destroy();
    }
  };
}

/** What was answered the first time, and what is newest by now. */
function receiptOf({ receipt, newer }: Stored): Receipt {
  return newer === undefined ? receipt : { ...receipt, newestGeneration: newer };
}

function refusalOf(req: IncomingMessage, error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (req.destroyed && !req.complete) {
    return new Refusal(400, "CUT_SHORT", "the connection ended before the body was whole");
  }
  const cause = errnoOf(error) || "unexpected error";
  return new Refusal(503, "NOT_STORED", `the part could not be stored (${cause})`, {
    cause: error,
  });
}
