import * as v from "valibot";

/** Longest name that may be asked for. */
const MAX_NAME = 500;

const name = v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_NAME));

/** Whom a request is for: with another service or config it is refused. Both come from the state directory's own files. */
const addressee = {
  service: v.optional(v.pipe(v.string(), v.uuid())),
  config: v.optional(v.pipe(v.string(), v.hexadecimal(), v.length(64))),
};

const StatusRequest = v.strictObject({ service: addressee.service });

/** What a run can be asked for is said in flags and names, never in paths, addresses or config. */
const StartRequest = v.strictObject({
  ...addressee,
  all: v.optional(v.boolean()),
  agent: v.optional(name),
  force: v.optional(v.boolean()),
  retryBackedOff: v.optional(v.boolean()),
});

const FollowRequest = v.strictObject({
  service: addressee.service,
  run: v.pipe(v.string(), v.uuid()),
  cancel: v.optional(v.boolean()),
});

export type StatusRequest = v.InferOutput<typeof StatusRequest>;
export type StartRequest = v.InferOutput<typeof StartRequest>;
export type FollowRequest = v.InferOutput<typeof FollowRequest>;

/** @throws {Error} a sentence that quotes nothing of the request */
export function readStatusRequest(params: unknown): StatusRequest {
  return parsed(v.safeParse(StatusRequest, params ?? {}));
}

/** A run to start, or one to ask about. @throws {Error} a sentence that quotes nothing of the request */
export function readSyncRequest(params: unknown): StartRequest | FollowRequest {
  return parsed(v.safeParse(v.union([FollowRequest, StartRequest]), params ?? {}));
}

function parsed<Output>(
  result: { success: true; output: Output } | { success: false; output: unknown },
): Output {
  if (!result.success) throw new Error("this request has members or values that it may not have");
  return result.output;
}
