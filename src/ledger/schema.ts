import * as v from "valibot";
import { isObject } from "../shared/json.ts";
import { areSessionRecords, type DeepReadonly, type SessionData } from "./records.ts";

/** The version this plugin writes; a higher one belongs to a newer plugin. */
export const SCHEMA_VERSION = 2;

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** A list is an object, too, and would pass for an empty record. */
const dictionary = <const Schema extends v.GenericSchema>(schema: Schema) =>
  v.pipe(v.custom<Record<string, v.InferInput<Schema>>>(isObject), v.record(v.string(), schema));

/** What the API is to delete: one session, all of an agent, or with neither all of the deployment. */
const DeletionSchema = v.object({
  agentId: v.exactOptional(v.string()),
  sessionId: v.exactOptional(v.string()),
  /** The highest generation that is meant. */
  through: Count,
  /** Set when it was tried in vain; `retryAt` is in ms since the epoch. */
  failed: v.exactOptional(v.object({ reason: v.string(), attempts: Count, retryAt: Count })),
});
export type DeletionData = v.InferOutput<typeof DeletionSchema>;
export type Deletion = DeepReadonly<DeletionData>;
export type DeletionScope = Pick<Deletion, "agentId" | "sessionId">;

const TargetSchema = v.object({
  apiUrl: v.string(),
  deploymentId: v.string(),
  projectId: v.string(),
  /** By `<agentId>/<sessionId>`. */
  sessions: v.custom<Record<string, SessionData>>(areSessionRecords),
  /** Set when the API refused the credentials; nothing is sent on the interval until they change. */
  refused: v.exactOptional(v.object({ reason: v.string(), at: Count, credential: v.string() })),
  /** The API asked not to be called before, in ms since the epoch. */
  notBefore: v.exactOptional(Count),
  /** The content coding the API said it takes besides gzip, or "gzip" when it refused that one. */
  coding: v.exactOptional(v.picklist(["zstd", "gzip"])),
  /** Something has arrived there, so that the address is a good one. */
  taken: v.exactOptional(v.literal(true)),
  /** Largest part the API has taken after it had refused a larger one, in source bytes. */
  partLimit: v.exactOptional(Count),
  /** What the API has not confirmed yet, in the order in which it was asked for. */
  deletions: v.exactOptional(v.array(DeletionSchema)),
  /** The least generation that any session may begin with, above those that a deletion is about. */
  leastGeneration: v.exactOptional(Count),
});
export type TargetData = v.InferOutput<typeof TargetSchema>;
export type Target = DeepReadonly<TargetData>;

const LegacyRecordSchema = v.object({
  uploadedSizeBytes: Count,
  uploadedLines: Count,
  etag: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/)),
});
export type LegacyRecord = v.InferOutput<typeof LegacyRecordSchema>;

export const LedgerSchema = v.object({
  schemaVersion: v.literal(SCHEMA_VERSION),
  /** Grows with every write; shows the newer of two copies. */
  revision: Count,
  /** Random hexadecimal digits of this ledger, which never leave this machine; see `Ledger.secret`. */
  secret: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  /** One record per place that sessions are sent to, so that a new one gets them all. */
  targets: dictionary(TargetSchema),
  /**
   * When the plugin first ran with this state directory, in ms since the epoch: what `filter.since` may
   * name. Not known to ledgers of 2.0.0, nor when all of them were lost: then it is the next run.
   */
  firstRunAt: v.exactOptional(Count),
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
