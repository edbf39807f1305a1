import type { Receipt } from "../protocol/wire.ts";

/** What names a session, over all projects and deployments. */
export interface SessionIds {
  readonly projectId: string;
  readonly deploymentId: string;
  readonly agentId: string;
  readonly sessionId: string;
}

/** Whose a session is. */
export type Owner = Pick<SessionIds, "projectId" | "deploymentId">;

/** All sessions of an owner, all of one of its agents, or one session. */
export type Scope = Owner &
  (
    | { readonly agentId?: undefined; readonly sessionId?: undefined }
    | { readonly agentId: string; readonly sessionId?: string | undefined }
  );

/** What is to be deleted, and not to be taken again. */
export type Deletion = Scope & {
  /** The highest generation that is meant. */
  readonly through: number;
};

/** What became of a deletion, in sessions. */
export interface Deleted {
  /** Those of which something was deleted. */
  readonly deleted: number;
  /** Those that are meant of which something newer stays. */
  readonly left: number;
}

/** Where a part belongs, as its lines say. */
export interface Place extends SessionIds {
  /** `lineIndex` of the part's first line. */
  readonly firstLine: number;
}

/** One entry that is kept. */
export interface Entry {
  readonly lineIndex: number;
  /** As it stood in its line, byte for byte. */
  readonly payload: string;
}

/** What is known of a part before its body. */
export interface PartName {
  readonly idempotencyKey: string;
  /** Orders the generations of a session; undefined when the client does not say. */
  readonly generation: number | undefined;
}

/** What a whole body said, without its payloads. */
export interface PartContent extends Place {
  readonly lines: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Some of the rejected lines. */
  readonly errors: NonNullable<Receipt["errors"]>;
}

/** A part whose whole body arrived. */
export interface ReceivedPart extends PartContent {
  /** Of the decoded body, as 64 hex digits. */
  readonly sha256: string;
  /** Bytes of the body as it was sent. */
  readonly wireBytes: number;
  /** Bytes of the body after decompression. */
  readonly decodedBytes: number;
}

/** A part that is stored: now, or by an earlier attempt (`repeated`). */
export interface Stored {
  /** The one that was answered the first time. */
  readonly receipt: Receipt;
  /** Names the generation for people. */
  readonly generation: number;
  readonly repeated: boolean;
  /** It begins the session anew. */
  readonly restarts: boolean;
  /** The newest generation of the session that is stored, as its parts call it, if the part is of an older one. */
  readonly newer: number | undefined;
}

/** A part while its body arrives. Disposing of it gives back what it holds, whatever became of it. */
export interface Draft extends AsyncDisposable {
  /** Takes entries, which follow those before; resolves when there is room for more. */
  add(place: Place, entries: readonly Entry[]): Promise<void>;
  /**
   * Stores the part once, durably, whatever the number of attempts.
   * @throws {Refusal} `FORGOTTEN`, `KEY_REUSED`, `OUT_OF_ORDER`
   */
  commit(part: ReceivedPart): Promise<Stored>;
}

/** Where parts are kept, and what judges whether one is new, repeated or out of order. */
export interface Backend {
  /** Begins a part. Nothing of it is kept before it is committed. */
  begin(name: PartName): Promise<Draft>;
  /**
   * Deletes durably, and refuses from then on what is meant, also when a crash or a failure ends it
   * early: called again, it deletes what is left.
   */
  delete(deletion: Deletion): Promise<Deleted>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}
