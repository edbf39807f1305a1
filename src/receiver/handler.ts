import { rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { errnoOf } from "../problem.ts";
import { plain } from "../text.ts";
import { answer } from "./answer.ts";
import { createDecoder, stageBody } from "./body.ts";
import { Refusal } from "./refusal.ts";
import { checkHeaders, keyCheck } from "./request.ts";
import type { Storage } from "./storage.ts";
import { describe } from "./words.ts";

export type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** What the answers to requests depend on. */
export interface HandlerOptions {
  readonly key: string;
  readonly maxLineBytes: number;
  readonly log: (line: string) => void;
}

/** Takes one part per request; the promise ends when its answer is out, and never fails. */
export function createHandler(
  storage: Storage,
  { key, maxLineBytes, log }: HandlerOptions,
): Handler {
  const isKey = keyCheck(key);

  async function receive(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { idempotencyKey, coding } = checkHeaders(req, isKey);
    const decoder = createDecoder(coding);
    const file = storage.stagingFile();
    try {
      const staged = await stageBody(req, decoder, file, maxLineBytes);
      const stored = await storage.commit(idempotencyKey, staged);
      log(describe(staged, stored));
      await answer(req, res, 200, stored.part.receipt);
    } finally {
      await rm(file, { force: true });
    }
  }

  async function refuse(req: IncomingMessage, res: ServerResponse, error: unknown): Promise<void> {
    const refusal = refusalOf(req, error);
    storage.countRefusal(refusal.code, refusal.message);
    log(`refused with ${refusal.status} ${refusal.code}: ${plain(refusal.message)}`);
    const body = { error: { code: refusal.code, message: refusal.message } };
    await answer(req, res, refusal.status, body, refusal.headers);
  }

  return async (req, res) => {
    try {
      await receive(req, res).catch((error) => refuse(req, res, error));
    } catch {
      // Not even the refusal could be recorded, e.g. on a full disk: no answer means "try again".
      res.destroy();
    }
  };
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
