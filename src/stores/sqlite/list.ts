import { isUtf8 } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import type { Problem } from "../../shared/problem.ts";
import { isSessionId } from "../../shared/session-id.ts";
import { count } from "../../shared/text.ts";
import { IN_DATABASE, liveFile } from "../sources.ts";
import type { KnownBytes, Listing, Stream } from "../store.ts";
import type { Connection } from "./connection.ts";
import { otherIdsSql, sessionPageSql } from "./list-sql.ts";
import { totalsOf } from "./live.ts";
import { type Kept, KeyNames } from "./names.ts";
import { sourceBytes } from "./reader.ts";
import type { Shape } from "./shape.ts";

/** Event-loop time one slice of reads may take, in ms. */
const SLICE_MS = 5;

/**
 * Keys of sessions the user asked the host to keep off the disk. It keeps them in
 * memory; should one ever be written, it still does not leave.
 */
const INCOGNITO = /^agent:[^:]+:[a-z-]+:incognito-/i;

/** No id is longer; what is need not become a string to be refused. */
const MAX_ID_BYTES = 512;

export interface OpenDatabase {
  readonly connection: Connection;
  readonly shape: Shape;
}

export interface ListOptions {
  readonly agentId: string;
  readonly knownBytes: KnownBytes;
  /** Also find out what sessions are called. */
  readonly needsNames: boolean;
  /** Also find out when they began. */
  readonly needsStart: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface SessionRow extends Kept {
  /** The session's id, as bytes: text may hold what no string does. */
  readonly id: Uint8Array;
  /** Numbers as text, whatever they are. */
  readonly lastSeq: string | null;
  readonly coldLastSeq: string | null;
  readonly coldBytes: number | null;
  readonly generation: string | null;
  /** The key as text, whatever it is. */
  readonly keyText: string | null;
  readonly changedAt: number;
  readonly changedText: string;
  readonly startTime: number | null;
}

/**
 * Lists every session that has events, live, rolled over or in cold storage. Only
 * indexes and one row of metadata per session are read; the sizes of sessions
 * that `knownBytes` does not know are added up from the headers of their rows.
 */
export async function listSessions(database: OpenDatabase, options: ListOptions): Promise<Listing> {
  const { connection, shape } = database;
  const { agentId, needsNames, signal } = options;
  const { streams, kept, badIds } = await listStreams(database, options);
  const listing: Listing = {
    streams: [...streams.values()],
    problems: [],
    failures: badIds === 0 ? [] : [unknownIds(agentId, badIds)],
  };
  if (!needsNames) return listing;
  // After the sessions, so that each of these was kept under its key before.
  const names = await KeyNames.read(connection, shape, signal);
  const named = listing.streams.map((stream) => ({
    ...stream,
    ...names.of(kept.get(stream.sessionId)),
  }));
  return { ...listing, streams: named, related: names.related };
}

interface ListedStreams {
  readonly streams: ReadonlyMap<string, Stream>;
  /** What the rows of metadata say of each session. */
  readonly kept: ReadonlyMap<string, readonly Kept[]>;
  /** Sessions whose ids are not understood. */
  readonly badIds: number;
}

async function listStreams(database: OpenDatabase, options: ListOptions): Promise<ListedStreams> {
  const { connection, shape } = database;
  const { needsNames, needsStart, signal } = options;
  const streams = new Map<string, Stream>();
  const kept = new Map<string, Kept[]>();
  const incognito = new Set<string>();
  const { sql } = sessionPageSql(shape, { needsNames, needsStart });
  let badIds = connection.get<{ bad: number }>(otherIdsSql(shape))?.bad ?? 0;
  let slice = performance.now();
  for (let after: Uint8Array = new Uint8Array(); ; ) {
    signal?.throwIfAborted();
    const page = connection.all<SessionRow>(sql, after);
    const last = page.at(-1);
    if (last === undefined) return { streams, kept, badIds };
    after = last.id;
    for (const row of page) {
      if (performance.now() - slice > SLICE_MS) {
        await setImmediate();
        signal?.throwIfAborted();
        slice = performance.now();
      }
      const sessionId = idOf(row.id);
      if (sessionId === null) {
        badIds++;
        continue;
      }
      if (INCOGNITO.test(row.keyText ?? "")) incognito.add(sessionId);
      if (incognito.has(sessionId)) {
        streams.delete(sessionId);
        continue;
      }
      if (needsNames) {
        const { key, title, chatType, spawnedBy } = row;
        const named = { key, title, chatType, spawnedBy };
        kept.set(sessionId, [...(kept.get(sessionId) ?? []), named]);
      }
      // Two rows of metadata for one session: it is called what either says.
      if (streams.has(sessionId)) continue;
      streams.set(sessionId, await streamOf(sessionId, row, database, options));
    }
  }
}

async function streamOf(
  sessionId: string,
  row: SessionRow,
  database: OpenDatabase,
  { agentId, knownBytes, signal }: ListOptions,
): Promise<Stream> {
  const seq = row.coldLastSeq ?? row.lastSeq;
  // Equal before and after a move to cold storage. The host advances the time with every write.
  const signature = `${row.generation ?? ""}:${seq}:${row.changedText}`;
  const name = { agentId, sessionId, source: IN_DATABASE, signature };
  const bytes = knownBytes(name) ?? (await bytesOf(sessionId, row, database, signal));
  const { changedAt, startTime } = row;
  return {
    ...name,
    rank: "~sqlite",
    movedFrom: liveFile(sessionId),
    bytes,
    changedAt,
    startTime: startTime ?? undefined,
    names: [],
  };
}

/** Null for what is no id that a host gives. */
function idOf(bytes: Uint8Array): string | null {
  if (bytes.length > MAX_ID_BYTES || !isUtf8(bytes)) return null;
  const id = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  return isSessionId(id) ? id : null;
}

async function bytesOf(
  sessionId: string,
  { coldBytes }: SessionRow,
  { connection, shape }: OpenDatabase,
  signal?: AbortSignal,
): Promise<number> {
  // The host counts a newline between events, but none after the last.
  if (coldBytes !== null) return coldBytes + 1;
  return sourceBytes(
    await totalsOf(connection, shape, sessionId, 0, Number.MAX_SAFE_INTEGER, signal),
  );
}

function unknownIds(agentId: string, bad: number): Problem {
  return {
    code: "SESSION_IDS",
    agentId,
    message: `${count(bad, "session")} in its database ${bad === 1 ? "has an id" : "have ids"} of a form that is not understood; nothing of ${bad === 1 ? "it" : "them"} is sent. Run "openclaw doctor"`,
  };
}
