import { randomBytes } from "node:crypto";
import { type Access, digestOf, type Grant, isEqual } from "../access.ts";
import { notStored } from "../unavailable.ts";
import type { Database } from "./database.ts";

/** How long a key that was revoked may go unnoticed, in ms. */
const REFRESH_MS = 2000;
/** The same for one that was made: a client stops at a 401. What resembles a key costs ten queries a second at most. */
const REFRESH_UNKNOWN_MS = 100;

/** The id is public and names the key; the secret is 192 random bits. */
const KEY_FORM = /^ifx_([0-9a-f]{12})_[\w-]{32}$/;

/** A key as it is shown; what it opens is known to its holder alone. */
export interface KeySummary {
  readonly id: string;
  readonly name: string;
  /** Null: all. */
  readonly projects: readonly string[] | null;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
}

/** Makes a key and returns it, which nobody can do a second time: only its hash is kept. */
export async function addKey(
  database: Database,
  { name, projects }: Pick<KeySummary, "name" | "projects">,
): Promise<string> {
  const id = randomBytes(6).toString("hex");
  const key = `ifx_${id}_${randomBytes(24).toString("base64url")}`;
  await database.transaction((client) =>
    client.query(
      "INSERT INTO influxion.api_key (id, name, hash, projects) VALUES ($1, $2, $3, $4)",
      [id, name, digestOf(key), projects],
    ),
  );
  return key;
}

/** From the oldest to the newest. */
export async function listKeys(database: Database): Promise<KeySummary[]> {
  const { rows } = await database.use((client) =>
    client.query<KeySummary>(
      `SELECT id, name, projects, created_at AS "createdAt", revoked_at AS "revokedAt"
       FROM influxion.api_key ORDER BY created_at, id`,
    ),
  );
  return rows;
}

/** Returns whether there was such a key; one that is revoked already stays so. */
export async function revokeKey(database: Database, id: string): Promise<boolean> {
  const { rowCount } = await database.transaction((client) =>
    client.query(
      `UPDATE influxion.api_key SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1`,
      [id],
    ),
  );
  return rowCount === 1;
}

interface StoredKey {
  readonly hash: Buffer;
  readonly grant: Grant;
}

/** Compared with when there is no key of that name, so that both take as long. */
const NO_HASH = Buffer.alloc(32);

/** The keys in the database, as they were a moment ago. */
export class KeyTable implements Access {
  readonly #database: Database;
  readonly #now: () => number;
  #keys: ReadonlyMap<string, StoredKey> = new Map();
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(database: Database, now: () => number = Date.now) {
    this.#database = database;
    this.#now = now;
  }

  /** @throws {Refusal} `NOT_STORED`, `OVERLOADED` when the database does not answer */
  async grant(candidate: string): Promise<Grant | undefined> {
    const id = KEY_FORM.exec(candidate)?.[1];
    if (id === undefined) return undefined;
    await this.#refresh(this.#keys.has(id) ? REFRESH_MS : REFRESH_UNKNOWN_MS);
    const key = this.#keys.get(id);
    return isEqual(digestOf(candidate), key?.hash ?? NO_HASH) ? key?.grant : undefined;
  }

  async #refresh(maxAge: number): Promise<void> {
    if (Math.abs(this.#now() - this.#readAt) < maxAge) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #read(): Promise<void> {
    const at = this.#now();
    try {
      const { rows } = await this.#database.use((client) =>
        client.query<{ id: string; hash: Buffer; projects: string[] | null }>(
          "SELECT id, hash, projects FROM influxion.api_key WHERE revoked_at IS NULL",
        ),
      );
      this.#keys = new Map(
        rows.map(({ id, hash, projects }) => [id, { hash, grant: grantOf(id, projects) }]),
      );
      this.#readAt = at;
    } catch (error) {
      throw notStored(error);
    }
  }
}

function grantOf(id: string, projects: readonly string[] | null): Grant {
  const all = new Set(projects);
  return { id, allows: (projectId) => projects === null || all.has(projectId) };
}
