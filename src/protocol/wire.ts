import * as v from "valibot";

/** Path of the one endpoint, for `POST` and `DELETE`, appended to `apiUrl`. */
export const INGEST_PATH = "/v1/openclaw/ingest/sessions";

/**
 * Headers that name a part's place, so that a server can distinguish a late part of an older
 * generation from the beginning of a newer one. Each value is a decimal integer: the
 * generation only grows for a session at a destination, and the first line is the
 * `lineIndex` that the body begins with. See docs/wire.md.
 */
export const GENERATION_HEADER = "influxion-generation";
export const FIRST_LINE_HEADER = "influxion-first-line";

/**
 * Headers that say what the lines went through before they were sent: the content level, and an
 * opaque name of what credentials are found by. Equal on every attempt at a part.
 */
export const CONTENT_HEADER = "influxion-content";
export const REDACTION_HEADER = "influxion-redaction";

/**
 * Header of a `POST` without lines, which asks whether uploads with this key would be taken, and the
 * answer to it. Nothing is stored. See docs/wire.md.
 */
export const CHECK_HEADER = "influxion-check";
export const CHECK_OK = { check: "ok" } as const;
export type CheckAnswer = typeof CHECK_OK;

/** Content codings of a body, `Content-Encoding`. Every API takes gzip. */
export type Coding = "zstd" | "gzip";

/** Longest answer that is read; an honest receipt is far smaller. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** One line of a request body. `payload` is the entry, or a stand-in for what is none or is too long. */
export const EnvelopeSchema = v.strictObject({
  deploymentId: v.pipe(v.string(), v.nonEmpty()),
  projectId: v.pipe(v.string(), v.nonEmpty()),
  agentId: v.pipe(v.string(), v.nonEmpty()),
  agentName: v.pipe(v.string(), v.nonEmpty()),
  sessionId: v.pipe(v.string(), v.nonEmpty()),
  sessionFile: v.pipe(v.string(), v.nonEmpty()),
  lineIndex: Count,
  capturedAt: v.pipe(v.string(), v.isoTimestamp()),
  payload: v.pipe(
    v.looseObject({}),
    v.check((value) => !Array.isArray(value), "an object, not a list"),
  ),
});
export type Envelope = v.InferOutput<typeof EnvelopeSchema>;

/** What makes an answer a receipt: every line sent is either accepted or rejected. */
export const ReceiptSchema = v.object({ accepted: Count, rejected: Count });

/** The API's answer to one part. What it says beside the counts is for people alone. */
export interface Receipt extends v.InferOutput<typeof ReceiptSchema> {
  batchId?: string;
  warnings?: string[];
  errors?: { lineIndex: number; reason: string }[];
  /** The highest generation of the session that the API holds, at least when that is above the part's. */
  newestGeneration?: number;
}

/**
 * What makes an answer to `DELETE` a confirmation: how many sessions something was deleted of. A
 * number alone would not do: a server that does not know the method may answer 404 in JSON, too.
 */
export const DeletionReceiptSchema = v.object({ deleted: Count });

/** The API's answer to a deletion. */
export interface DeletionReceipt extends v.InferOutput<typeof DeletionReceiptSchema> {
  /** Sessions of which something newer than what was to be deleted stays. */
  left?: number;
}

/** What leaves no room above it is no generation that a client began. */
export const GenerationSchema = v.pipe(Count, v.maxValue(2 ** 52));
