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
import type { Shape } from "./shape.ts";
import { type RawText, rawTextSql } from "./values.ts";

/** Keys one statement reads, about 2 ms. */
const PAGE_KEYS = 100;

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
    const sql = pageSql(nodeNames);
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

/**
 * Where the host keeps titles, kinds, and ids of earlier sessions, within the JSON of an entry. Of a
 * member that is there twice both are taken: the host's statements read the first, its code the last.
 */
const FACTS_SQL = `
  SELECT json_group_array(json_array(what, type, atom)) FROM (
    SELECT t.type, t.atom, CASE
        WHEN e.key IN ('chatType', 'spawnedBy', 'heartbeatIsolatedBaseSessionKey', 'createdVia')
          THEN CASE WHEN t.fullkey = '$' THEN e.key END
        WHEN e.key IN ('label', 'displayName', 'subject', 'groupChannel', 'space')
          THEN CASE WHEN t.fullkey = '$' THEN CASE e.key WHEN 'label' THEN e.key ELSE 'title' END END
        WHEN e.key = 'origin' AND t.fullkey = '$' THEN 'holder'
        WHEN e.key = 'origin' AND t.path = '$' AND t.key = 'label' THEN 'title'
        WHEN e.key = 'origin' OR t.type <> 'text' THEN NULL
        WHEN e.key <> 'compactionCheckpoints' OR t.key IN ('sessionId', 'sessionFile') THEN 'id'
      END AS what
    FROM json_each(n.entry_json) AS e,
         json_tree(CASE WHEN e.type IN ('array', 'object') THEN e.value ELSE json_quote(e.value) END) AS t
    WHERE e.key IN ('chatType', 'spawnedBy', 'heartbeatIsolatedBaseSessionKey', 'createdVia',
      'label', 'displayName', 'subject', 'groupChannel', 'space', 'origin',
      'sessionId', 'sessionFile', 'previousSessionId', 'usageFamilySessionIds', 'compactionCheckpoints'))
  WHERE what IS NOT NULL`;

/** Key after key, as the primary key has them. What is no text comes before or behind all text, and is no key. */
function pageSql(nodeNames: readonly string[]): string {
  const column = (name: string): string =>
    nodeNames.includes(name) ? rawTextSql(`n.${name}`) : "NULL";
  return `
    SELECT CAST(n.session_key AS BLOB) AS key,
           ${column("label")} AS label, ${column("display_name")} AS displayName,
           CASE WHEN typeof(n.entry_json) = 'text' AND json_valid(n.entry_json)
             THEN CASE json_type(n.entry_json) WHEN 'object' THEN CAST((${FACTS_SQL}) AS BLOB) END
           END AS facts
    FROM session_nodes AS n WHERE session_key > CAST(? AS TEXT) AND session_key < x''
    ORDER BY session_key LIMIT ${PAGE_KEYS}`;
}
