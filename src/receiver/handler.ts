import type { IncomingMessage, ServerResponse } from "node:http";
import type { CheckAnswer, Coding, DeletionReceipt, Receipt } from "../protocol/wire.ts";
import type { Access, Grant } from "./access.ts";
import type { Admission } from "./admission.ts";
import { answer } from "./answer.ts";
import type { Backend, Deleted, Deletion, ReceivedPart, SessionIds, Stored } from "./backend.ts";
import { readBody } from "./body.ts";
import { answerCheck, isCheck } from "./check.ts";
import { createDecoder } from "./codings.ts";
import { readDeletion } from "./deletion.ts";
import type { PartLimits } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import { authorize, checkFirstLine, methodOf, readHeaders } from "./request.ts";
import { notDeleted, notStored } from "./unavailable.ts";

export type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** What the answers to requests depend on. */
export interface HandlerOptions {
  readonly access: Access;
  readonly admission: Admission;
  /** Content codings that a body may have; named in answers. */
  readonly codings: readonly Coding[];
  readonly limits: PartLimits;
  readonly onStored: (part: ReceivedPart, stored: Stored) => void;
  readonly onDeleted: (deletion: Deletion, deleted: Deleted) => void;
  readonly onRefused: (refusal: Refusal) => void;
}

/** Takes one part or deletion per request; the promise ends when its answer is out, and never fails. */
export function createHandler(backend: Backend, options: HandlerOptions): Handler {
  const { access, admission, codings, limits, onStored, onDeleted, onRefused } = options;
  /** What a client may use for its next request (RFC 9110, 12.5.3). */
  const advertised = { "accept-encoding": codings.join(", ") };

  /** Its place is free again, and what it held given back, before it is answered. */
  async function take(req: IncomingMessage, grant: Grant): Promise<Receipt> {
    const { coding, firstLine, ...name } = readHeaders(req.headers);
    const decoder = createDecoder(coding, codings);
    using _place = admission.enter(grant.id);
    await using draft = await backend.begin(name);
    const admit = (place: SessionIds): void => checkProject(grant, place);
    const part = await readBody(req, draft, { decoder, limits, admit });
    checkFirstLine(firstLine, part.firstLine);
    const stored = await draft.commit(part);
    onStored(part, stored);
    return receiptOf(stored);
  }

  async function remove(req: IncomingMessage, grant: Grant): Promise<DeletionReceipt> {
    const deletion = readDeletion(req);
    checkProject(grant, deletion);
    using _place = admission.enter(grant.id);
    const deleted = await backend.delete(deletion).catch((error: unknown) => {
      throw notDeleted(error);
    });
    onDeleted(deletion, deleted);
    return deleted;
  }

  async function carryOut(req: IncomingMessage): Promise<Receipt | DeletionReceipt | CheckAnswer> {
    const method = methodOf(req);
    const grant = await authorize(req.headers, access);
    if (method === "DELETE") return await remove(req, grant);
    return isCheck(req.headers) ? answerCheck(req.url, grant) : await take(req, grant);
  }

  async function receive(req: IncomingMessage, res: ServerResponse): Promise<void> {
    await answer(req, res, 200, await carryOut(req), advertised);
  }

  async function refuse(req: IncomingMessage, res: ServerResponse, error: unknown): Promise<void> {
    const refusal = refusalOf(req, error);
    onRefused(refusal);
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

/** @throws {Refusal} `PROJECT_NOT_ALLOWED` */
function checkProject(grant: Grant, { projectId }: Pick<SessionIds, "projectId">): void {
  if (grant.allows(projectId)) return;
  const message = "the API key is not for the project that the request names";
  throw new Refusal(403, "PROJECT_NOT_ALLOWED", message);
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
  return notStored(error);
}
