import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "./dice.ts";
import type { EntryMaker } from "./entries.ts";
import {
  digestOf,
  digestsOf,
  History,
  isObject,
  payloadOf,
  type Version,
  wholeLinesOf,
} from "./history.ts";

/** Sessions are reset, shortened or rolled over when they have grown to this, in bytes. */
const LARGE_BYTES = 200_000;

const MAX_SESSIONS = 24;

interface Torn {
  readonly rest: Buffer;
  readonly line: string;
  /** The line counts already: only its newline is missing. */
  readonly counted: boolean;
}

interface FileSession {
  readonly agentId: string;
  readonly id: string;
  readonly path: string;
  readonly history: History;
  /** What the live file holds; undefined while there is none. */
  version: Version | undefined;
  torn: Torn | undefined;
}

/** An archive that is out of sight for a while, as in a backup that is restored later. */
interface Hidden {
  readonly session: FileSession;
  readonly version: Version | undefined;
  readonly path: string;
}

/** Share of the archives that come to light late. */
const LATE_SHARE = 0.3;

export interface FileHostOptions {
  readonly stateDir: string;
  readonly dice: Dice;
  readonly entries: EntryMaker;
  /** How long a rewrite may take before the uploader may believe what is there in between, in ms. */
  readonly patienceMs: number;
  readonly hugeShare: number;
  /** Notified of each action, for the log of a run that is violated. */
  readonly onAction: (action: string, session: string) => void;
}

/** Does to session files what hosts do, and remembers what was in them. */
export class FileHost {
  readonly histories = new Map<string, History>();
  readonly #options: FileHostOptions;
  readonly #sessions: FileSession[] = [];
  readonly #hidden: Hidden[] = [];
  #count = 0;
  #stamp = Date.UTC(2026, 9, 1);

  constructor(options: FileHostOptions) {
    this.#options = options;
    for (let n = 0; n < 6; n++) this.#create();
  }

  /** One action on one session. */
  async act(): Promise<void> {
    const { dice, entries, hugeShare, onAction } = this.#options;
    if (dice.chance(0.02)) return this.#reveal();
    const session = dice.pick(this.#sessions);
    if (session.version === undefined) return this.#append(session, [entries.header(session.id)]);
    if (session.torn !== undefined && dice.chance(0.7)) return this.#finish(session);
    const { size } = statSync(session.path);
    if (size === 0) return this.#append(session, [entries.header(session.id)]);
    if (size > LARGE_BYTES && dice.chance(0.5)) return this.#shrink(session);
    const action = dice.weighted({
      append: 45,
      burst: 8,
      tear: 15,
      rewriteSame: 12,
      rewriteOther: 5,
      truncate: 3,
      resetAnew: 3,
      resetBare: 2,
      remove: 2,
      create: 4,
      huge: hugeShare,
    });
    onAction(action, keyOf(session));
    if (action === "append") return this.#append(session, [entries.line()]);
    if (action === "burst") return this.#append(session, this.#lines(dice.int(2, 30)));
    if (action === "huge") return this.#append(session, [entries.huge()]);
    if (action === "tear") return this.#tear(session);
    if (action === "rewriteSame") return this.#rewrite(session, readFileSync(session.path));
    if (action === "rewriteOther") return this.#rewriteOther(session);
    if (action === "truncate") return this.#truncate(session);
    if (action === "remove") return this.#remove(session);
    if (action === "create") return this.#create();
    this.#reset(session);
    if (action === "resetAnew") this.#append(session, [entries.header(session.id)]);
  }

  /** Finishes every line that is half written, and brings to light what is out of sight. */
  settle(): void {
    while (this.#hidden.length > 0) this.#reveal();
    for (const session of this.#sessions) if (session.torn !== undefined) this.#finish(session);
  }

  /** What is on disk of each session, oldest first, as digests; for a check of this class itself. */
  onDisk(key: string): string[][] {
    const [agentId = "", id = ""] = key.split("/");
    const dir = join(this.#options.stateDir, "agents", agentId, "sessions");
    const names = readdirSync(dir);
    const resets = names.filter((name) => name.startsWith(`${id}.jsonl.reset.`)).sort();
    const live = names.filter((name) => name === `${id}.jsonl`);
    return [...resets, ...live].map((name) =>
      digestsOf(wholeLinesOf(readFileSync(join(dir, name), "utf8"))),
    );
  }

  #create(): void {
    const { stateDir, entries, dice } = this.#options;
    const agentId = dice.pick(["main", "side"]);
    const id = `f${this.#count++}`;
    const dir = join(stateDir, "agents", agentId, "sessions");
    mkdirSync(dir, { recursive: true });
    const history = new History();
    this.histories.set(`${agentId}/${id}`, history);
    const path = join(dir, `${id}.jsonl`);
    const session = { agentId, id, path, history, version: undefined, torn: undefined };
    // The oldest rolls over: it stays on disk, and nobody writes to it any more.
    if (this.#sessions.length >= MAX_SESSIONS) {
      const [old] = this.#sessions.splice(dice.int(0, 3), 1);
      if (old?.torn !== undefined) this.#finish(old);
    }
    this.#sessions.push(session);
    this.#append(session, [entries.header(id), ...this.#lines(dice.int(1, 5))]);
  }

  #lines(count: number): string[] {
    return Array.from({ length: count }, () => this.#options.entries.line());
  }

  #append(session: FileSession, lines: readonly string[]): void {
    if (session.torn !== undefined) this.#finish(session);
    session.version ??= session.history.begin();
    session.history.deletedAt = undefined;
    // Before the bytes, for the uploader may be faster than the next line of this program.
    session.version.lines.push(...digestsOf(lines));
    appendFileSync(session.path, lines.map((line) => `${line}\n`).join(""));
  }

  #tear(session: FileSession): void {
    if (session.torn !== undefined) this.#finish(session);
    const { dice, entries } = this.#options;
    const line = entries.line();
    const bytes = Buffer.from(`${line}\n`);
    if (bytes.length < 2) return;
    const at = dice.chance(0.2) ? bytes.length - 1 : dice.int(1, bytes.length - 1);
    const counted = at === bytes.length - 1 && isObject(line);
    if (counted) session.version?.lines.push(digestOf(payloadOf(line) ?? ""));
    session.torn = { rest: bytes.subarray(at), line, counted };
    appendFileSync(session.path, bytes.subarray(0, at));
  }

  #finish(session: FileSession): void {
    const { torn } = session;
    if (torn === undefined) return;
    if (!torn.counted) session.version?.lines.push(...digestsOf([torn.line]));
    session.torn = undefined;
    appendFileSync(session.path, torn.rest);
  }

  /** As OpenClaw 2026.7.35 does after every turn: truncate, then write, not atomic. */
  async #rewrite(session: FileSession, content: Buffer): Promise<void> {
    const { dice, patienceMs } = this.#options;
    const started = performance.now();
    const file = openSync(session.path, "w");
    const stops = Array.from({ length: dice.int(0, 2) }, () => dice.int(0, content.length)).sort(
      (a, b) => a - b,
    );
    if (dice.chance(0.1)) stops.unshift(Math.min(content.length, dice.int(1, 16)));
    let at = 0;
    for (const stop of stops) {
      if (stop > at) writeSync(file, content, at, stop - at);
      at = Math.max(at, stop);
      await sleep(dice.int(0, 8));
    }
    writeSync(file, content, at);
    closeSync(file);
    if (performance.now() - started > patienceMs) session.history.slack++;
  }

  async #rewriteOther(session: FileSession): Promise<void> {
    const { dice, entries } = this.#options;
    const lines = wholeLinesOf(readFileSync(session.path, "utf8"));
    const kept = lines.filter((_, index) => index === 0 || dice.chance(0.7));
    const index = dice.int(0, kept.length - 1);
    if (index === 0) kept[0] = entries.header(session.id);
    else kept[index] = entries.event();
    await this.#replace(session, kept);
  }

  async #truncate(session: FileSession): Promise<void> {
    const lines = wholeLinesOf(readFileSync(session.path, "utf8"));
    const kept = this.#options.dice.chance(0.2) ? 0 : this.#options.dice.int(1, lines.length);
    await this.#replace(session, lines.slice(0, kept));
  }

  async #replace(session: FileSession, lines: readonly string[]): Promise<void> {
    session.torn = undefined;
    if (session.version !== undefined) session.version.alive = false;
    session.version = session.history.begin(digestsOf(lines));
    await this.#rewrite(session, Buffer.from(lines.map((line) => `${line}\n`).join("")));
  }

  #shrink(session: FileSession): Promise<void> | void {
    const { dice, entries } = this.#options;
    if (dice.chance(0.5)) return this.#replace(session, [entries.header(session.id)]);
    this.#reset(session);
  }

  /** The live file gets another name; a line that was half written stays so for ever. */
  #reset(session: FileSession): void {
    const path = `${session.path}.reset.${this.#nextStamp()}`;
    renameSync(session.path, path);
    if (this.#options.dice.chance(LATE_SHARE)) {
      const { version } = session;
      renameSync(path, hiddenPath(path));
      this.#hidden.push({ session, version, path });
      this.#options.onAction("hide", keyOf(session));
    }
    session.version = undefined;
    session.torn = undefined;
  }

  #reveal(): void {
    const hidden = this.#hidden.shift();
    if (hidden === undefined) return;
    const { session, version, path } = hidden;
    const { versions } = session.history;
    const later = versions.length - 1 - (version === undefined ? 0 : versions.indexOf(version));
    // It goes (again) as a generation of its own, behind those of later archives; the present goes once more.
    session.history.slack += 1 + later;
    session.history.isShuffled = true;
    renameSync(hiddenPath(path), path);
    this.#options.onAction("reveal", keyOf(session));
  }

  #remove(session: FileSession): void {
    renameSync(session.path, `${session.path}.deleted.${this.#nextStamp()}`);
    if (session.version !== undefined) session.version.alive = false;
    session.version = undefined;
    session.torn = undefined;
    if (!session.history.versions.some(({ alive }) => alive))
      session.history.deletedAt = Date.now();
    // A checkpoint beside it must never leave.
    writeFileSync(session.path.replace(/\.jsonl$/, ".trajectory.jsonl"), '{"type":"session"}\n');
  }

  #nextStamp(): string {
    this.#stamp += 1000;
    return new Date(this.#stamp).toISOString().replaceAll(":", "-");
  }
}

const keyOf = ({ agentId, id }: FileSession): string => `${agentId}/${id}`;

/** Beside the folder of the sessions, on the same disk. */
function hiddenPath(path: string): string {
  return path.replace(/sessions\/([^/]+)$/, "hidden-$1");
}
