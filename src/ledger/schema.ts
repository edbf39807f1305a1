import * as v from "valibot";

/** The version this plugin writes; a higher one belongs to a newer plugin. */
export const SCHEMA_VERSION = 2;

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** A list is an object, too, and would pass for an empty record. */
const dictionary = <const Schema extends v.GenericSchema>(schema: Schema) =>
  v.pipe(
    v.custom<Record<string, v.InferInput<Schema>>>(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    ),
    v.record(v.string(), schema),
  );

const PositionSchema = v.object({
  offset: Count,
  lines: Count,
  messages: Count,
  fingerprint: v.string(),
  entry: v.exactOptional(v.string()),
});

/** A part that was written down before it was sent; see docs/guarantees.md. */
const PlannedPartSchema = v.object({
  /** In units of the position's offset; parts of a stream follow each other. */
  end: Count,
  /** Bytes of source in the range. */
  bytes: Count,
  /** Fingerprint at `end`. */
  fingerprint: v.string(),
  /** Equal on every attempt. */
  idempotencyKey: v.string(),
  capturedAt: v.string(),
  /** The range is one line, of which only this is sent: its length in bytes, without the newline. */
  omitted: v.exactOptional(Count),
});
export type PlannedPart = v.InferOutput<typeof PlannedPartSchema>;

const StreamRecordSchema = v.object({
  store: v.picklist(["jsonl", "sqlite"]),
  /** Counts how often the session began anew; part of the idempotency key. */
  generation: Count,
  position: PositionSchema,
  /** The look at which there was nothing (more) to send, so that an equal one need not be repeated. */
  idle: v.exactOptional(
    v.object({
      signature: v.string(),
      /** Size of what was looked at, in bytes. */
      bytes: Count,
      /** Messages that `filter.minMessages` held back then. */
      held: v.exactOptional(Count),
    }),
  ),
  /** Parts that were planned and not confirmed, in order. */
  parts: v.exactOptional(v.array(PlannedPartSchema)),
});
export type StreamRecord = v.InferOutput<typeof StreamRecordSchema>;

/** Why and until when a session is put aside. */
const AsideSchema = v.object({
  reason: v.string(),
  /** ms since the epoch */
  since: Count,
  attempts: Count,
  /** ms since the epoch */
  retryAt: Count,
});
export type Aside = v.InferOutput<typeof AsideSchema>;

const SessionRecordSchema = v.object({
  /** The next generation to give out. */
  generations: Count,
  streams: dictionary(StreamRecordSchema),
  /** When a part of the session was last planned, in ms since the epoch. */
  servedAt: v.exactOptional(Count),
  aside: v.exactOptional(AsideSchema),
  /** When the session was first found missing, in ms since the epoch. */
  missingSince: v.exactOptional(Count),
  /** Lines that arrived and were not taken, and lines of which only the length was sent. */
  rejected: v.exactOptional(Count),
  omitted: v.exactOptional(Count),
});
export type SessionRecord = v.InferOutput<typeof SessionRecordSchema>;

const TargetSchema = v.object({
  apiUrl: v.string(),
  deploymentId: v.string(),
  projectId: v.string(),
  /** By `<agentId>/<sessionId>`. */
  sessions: dictionary(SessionRecordSchema),
  /** Set when the API refused the credentials; nothing is sent on the interval until they change. */
  refused: v.exactOptional(v.object({ reason: v.string(), at: Count, credential: v.string() })),
  /** The API asked not to be called before, in ms since the epoch. */
  notBefore: v.exactOptional(Count),
  /** The content coding the API said it takes besides gzip, or "gzip" when it refused that one. */
  coding: v.exactOptional(v.picklist(["zstd", "gzip"])),
  /** Largest part the API has taken after it had refused a larger one, in source bytes. */
  partLimit: v.exactOptional(Count),
});
export type Target = v.InferOutput<typeof TargetSchema>;

const LegacyRecordSchema = v.object({
  uploadedSizeBytes: Count,
  uploadedLines: Count,
  etag: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/)),
});
export type LegacyRecord = v.InferOutput<typeof LegacyRecordSchema>;

export const LedgerSchema = v.object({
  schemaVersion: v.literal(SCHEMA_VERSION),
  /** Grows with every write; tells the newer of two copies. */
  revision: Count,
  /** One record per place that sessions are sent to, so that a new one gets them all. */
  targets: dictionary(TargetSchema),
  /** Records of the earlier plugin that no session was found for yet, by relative path. */
  legacy: v.exactOptional(dictionary(LegacyRecordSchema)),
});
export type LedgerData = v.InferOutput<typeof LedgerSchema>;

/** What the earlier plugin wrote. A record that is damaged is left out; its session is sent again. */
export const LegacyLedgerSchema = v.object({
  schemaVersion: v.literal(1),
  files: dictionary(v.fallback(v.nullable(LegacyRecordSchema), null)),
});

export const VersionSchema = v.object({ schemaVersion: v.number() });
