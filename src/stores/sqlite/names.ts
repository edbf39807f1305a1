import { isUtf8 } from "node:buffer";
import { basename } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { SessionKind } from "../../shared/session-kind.ts";
import { namesOfKey } from "../jsonl/session-index.ts";
import {
  factsOfKey,
  type KindMembers,
  kindsOfEntry,
  mergeFacts,
  NOTHING_KEPT,
  type SessionFacts,
} from "../session-facts.ts";
import type { RelatedNames, Stream } from "../store.ts";
import type { Connection } from "./connection.ts";
import { nodePageSql } from "./names-sql.ts";
import type { Shape } from "./shape.ts";
import type { RawText } from "./values.ts";

const NO_KEY = "the database does not say under which key it is kept";
const DAMAGED = "what the database says about it is damaged";
const OTHER_DAMAGED =
  "what the database says about another session, which it may be a part of, is damaged";

/** What a session is called, why that may not be all, and what else is kept of it. */
interface Called extends Pick<Stream, "names" | "namesUnknown"> {
  readonly facts: SessionFacts;
}

/** What a row of metadata says of a session: the key it is kept under, a title, and what kind it is. */
export interface Kept {
  readonly key: RawText;
  readonly title: RawText;
  readonly chatType: RawText;
  readonly spawnedBy: RawText;
}

interface NodeRow {
  readonly key: Uint8Array;
  readonly label: RawText;
  readonly displayName: RawText;
  /** List of `[what, type, value]`, as JSON; null when it is kept in no form that is known. */
  readonly facts: Uint8Array | null;
}

type Fact = readonly ["title" | "label" | "holder" | "id" | keyof KindMembers, string, unknown];

/** What the host says of the sessions that it keeps under keys. */
export class KeyNames {
  readonly related: RelatedNames & { names: Map<string, readonly Called[]> } = { names: new Map() };
  readonly #byKey = new Map<string, Called>();
  /** What is said of a key that has no row: none is missing where there is no table for them. */
  readonly #withoutRow: Called;
  /** Rows of metadata say what kind of session it is. */
  readonly #hasKinds: boolean;

  private constructor({ nodeNames, windowKinds }: Shape) {
    this.#withoutRow = nodeNames === null ? { names: [], facts: NOTHING_KEPT } : unknown(DAMAGED);
    this.#hasKinds = windowKinds;
  }

  /** Reads all of it, in short reads. */
  static async read(connection: Connection, shape: Shape, signal?: AbortSignal): Promise<KeyNames> {
    const { nodeNames } = shape;
    const all = new KeyNames(shape);
    if (nodeNames === null) return all;
    const { sql } = nodePageSql(nodeNames);
    for (let after: Uint8Array = new Uint8Array(); ; await setImmediate()) {
      signal?.throwIfAborted();
      const page = connection.all<NodeRow>(sql, after);
      for (const row of page) all.#add(row);
      const last = page.at(-1);
      if (last === undefined) return all;
      after = last.key;
    }
  }

  /** What is known of a session by the rows that say where it is kept. */
  of(rows: readonly Kept[] = []): Called {
    if (rows.length === 0) return unknown(NO_KEY);
    return merged(rows.map((row) => this.#byRow(row)));
  }

  #byRow({ key, title, chatType, spawnedBy }: Kept): Called {
    const text = textOf(key);
    if (typeof text !== "string" || text === "") return unknown(NO_KEY);
    const kinds = kindsOfEntry({ chatType: given(chatType), spawnedBy: given(spawnedBy) });
    const facts = this.#hasKinds ? entryFacts([], kinds) : NOTHING_KEPT;
    const kept = this.#byKey.get(text) ?? this.#withoutRow;
    return merged([keyed(text), kept, titled(title), { names: [], facts }]);
  }

  #add({ key, label, displayName, facts }: NodeRow): void {
    const text = textOf(key);
    if (typeof text !== "string") return;
    const { called, ids } = readFacts(facts);
    const kept = merged([called, labelled(label), titled(displayName)]);
    const before = this.#byKey.get(text);
    this.#byKey.set(text, before === undefined ? kept : merged([before, kept]));
    if (kept.namesUnknown !== undefined) this.related.unknown = OTHER_DAMAGED;
    for (const id of ids) {
      const known = this.related.names.get(id) ?? [];
      this.related.names.set(id, [...known, merged([keyed(text), kept])]);
    }
  }
}

function unknown(namesUnknown: string): Called {
  return { names: [], namesUnknown, facts: NOTHING_KEPT };
}

/** What a key says by itself. */
function keyed(key: string): Called {
  const names = namesOfKey(key);
  return { names, facts: factsOfKey(key, names) };
}

/** The host writes down of what kind a session is, so that it is of no other. */
function entryFacts(ownNames: readonly string[], kinds: readonly SessionKind[]): SessionFacts {
  return { ownNames, kinds, openKinds: [] };
}

function merged(called: readonly Called[]): Called {
  return {
    names: called.flatMap(({ names }) => names),
    namesUnknown: called.find(({ namesUnknown }) => namesUnknown !== undefined)?.namesUnknown,
    facts: mergeFacts(called.map(({ facts }) => facts)),
  };
}

function titled(title: RawText): Called {
  const text = textOf(title);
  if (text === undefined) return unknown(DAMAGED);
  return { names: text === null ? [] : [text], facts: NOTHING_KEPT };
}

function labelled(label: RawText): Called {
  const called = titled(label);
  return { ...called, facts: { ...NOTHING_KEPT, ownNames: called.names } };
}

/** A column's value as a member of an entry: what is no text is there all the same. */
function given(raw: RawText): string | null {
  return textOf(raw) ?? (raw === null ? null : "?");
}

/** Undefined for what is no text. */
function textOf(raw: RawText): string | null | undefined {
  if (raw === null) return null;
  if (raw === 0) return undefined;
  const bytes = isUtf8(raw) ? Buffer.from(raw) : withoutHalves(raw);
  return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
}

/** A title that a host cut off in the middle of an emoji ends in half of it, which UTF-8 has no form for. */
function withoutHalves(raw: Uint8Array): Buffer {
  const text = Buffer.from(raw).toString("latin1");
  return Buffer.from(text.replace(/\xed[\xa0-\xbf][\x80-\xbf]/g, "\xef\xbf\xbd"), "latin1");
}

/** Titles, kinds, and ids of the sessions that this one was before. */
function readFacts(facts: Uint8Array | null): { called: Called; ids: Set<string> } {
  const json = textOf(facts);
  if (typeof json !== "string") return { called: unknown(DAMAGED), ids: new Set() };
  const found: Fact[] = JSON.parse(json);
  const texts = (...whats: Fact[0][]): string[] =>
    found.flatMap(([what, type, value]) =>
      whats.includes(what) && type === "text" ? [String(value)] : [],
    );
  const isOdd = ([what, type]: Fact): boolean =>
    what === "holder"
      ? type !== "object" && type !== "null"
      : isTitle(what) && type !== "text" && type !== "null";
  const kinds = found.flatMap(([what, type, value]) =>
    isKind(what) && type !== "null" ? kindsOfEntry({ [what]: value ?? type }) : [],
  );
  return {
    called: {
      names: texts("title", "label"),
      namesUnknown: found.some(isOdd) ? DAMAGED : undefined,
      facts: entryFacts(texts("label"), kinds),
    },
    ids: new Set(texts("id").map((id) => basename(id.replaceAll("\\", "/"), ".jsonl"))),
  };
}

const isTitle = (what: Fact[0]): boolean => what === "title" || what === "label";

const isKind = (what: Fact[0]): what is keyof KindMembers =>
  !isTitle(what) && what !== "holder" && what !== "id";
