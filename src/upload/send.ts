import type { PlannedPart } from "../ledger/records.ts";
import type { LineCounts } from "../lines/entry.ts";
import type { Coding, Receipt } from "../protocol/wire.ts";
import type { Position, Reader } from "../stores/store.ts";
import type { Failure } from "./classify.ts";
import type { Transform } from "./transform.ts";

/** One range of one stream, ready to be read as often as it takes. */
export interface PartSource {
  readonly reader: Reader;
  readonly start: Position;
  readonly part: PlannedPart;
  readonly generation: number;
  readonly agentId: string;
  readonly sessionId: string;
  readonly transform: Transform;
}

/** What became of a part, with what was in it when it was delivered. */
export type PartOutcome = Delivered | Failure | Paused;

export interface Delivered {
  readonly kind: "delivered";
  readonly receipt: Receipt;
  readonly counts: LineCounts;
  /** Credentials that were redacted, by rule. */
  readonly redactions: ReadonlyMap<string, number>;
  readonly lastEntry: string | undefined;
  /** `Accept-Encoding` of the receipt. */
  readonly acceptEncoding: string | undefined;
}

/** Uploads are paused: the run stops. */
export interface Paused {
  readonly kind: "paused";
  readonly reason: string;
}

/**
 * Sends one part. Every attempt reads the range from the start and has the same bytes, once
 * decoded, and the same key.
 *
 * @param coding content coding of the body
 * @throws the signal's reason, or what reading the transcript threw
 */
export type Send = (source: PartSource, coding: Coding) => Promise<PartOutcome>;

/** One concern around a `Send`, which takes and returns what the inner one does. */
export type Layer = (send: Send) => Send;
