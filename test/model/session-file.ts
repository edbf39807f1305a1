import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  digestOf,
  digestsOf,
  History,
  payloadOf,
  type Version,
  wholeLinesOf,
} from "../soak/history.ts";
import { header } from "../support/transcripts.ts";
import type { FileAction } from "./actions.ts";

/** A session as a host keeps it. */
export interface HostSession {
  readonly id: string;
  readonly history: History;
  write(action: FileAction, fresh: boolean): void;
  finishRewrite(): void;
  /** Nothing stays half done. */
  settle(): void;
  /** The lines of each of its streams that are not blank, from the oldest to what it is now. */
  onDisk(): string[][];
}

/** Up to here a fingerprint covers everything before a position; behind it, an edit that keeps every length cannot be seen. */
const SEEN_BYTES = 4096;

/** One session of a host that keeps it in a file, and its past. */
export class SessionFile implements HostSession {
  readonly id: string;
  readonly history = new History();
  readonly #path: string;
  readonly #now: () => number;
  #version: Version | undefined;
  /** What a whole line, begun or without its newline, still lacks. */
  #torn: { readonly rest: string; readonly line: string; readonly counted: boolean } | undefined;
  /** What the file holds once the rewrite that is under way has ended. */
  #rewritten: string | undefined;
  /** Archives that are out of sight, and what each of them holds. */
  readonly #hidden: { readonly path: string; readonly version: Version | undefined }[] = [];
  #count = 0;
  #stamp = Date.UTC(2026, 9, 1);

  constructor(dir: string, id: string, now: () => number) {
    this.id = id;
    this.#path = join(dir, `${id}.jsonl`);
    this.#now = now;
    mkdirSync(dirname(this.#path), { recursive: true });
  }

  write(action: FileAction, fresh: boolean): void {
    this.finishRewrite();
    if (action.kind === "reveal") {
      this.#reveal();
      return;
    }
    this.#comeBack();
    // After a reset or a deletion, what was begun stays as it is.
    if (action.kind !== "reset" && action.kind !== "remove") this.#finishLine();
    if (!this.#has("\n")) this.#add([header(this.id)]);
    this.#apply(action);
    // Nobody who is in the middle of a rewrite leaves the file alone for long.
    this.#touch(fresh || this.#rewritten !== undefined);
  }

  settle(): void {
    this.finishRewrite();
    this.#comeBack();
    this.#finishLine();
    while (this.#hidden.length > 0) this.#reveal();
  }

  onDisk(): string[][] {
    const names = readdirSync(dirname(this.#path));
    const resets = names.filter((name) => name.startsWith(`${this.id}.jsonl.reset.`)).sort();
    const live = names.filter((name) => name === `${this.id}.jsonl`);
    return [...resets, ...live].map((name) =>
      wholeLinesOf(readFileSync(join(dirname(this.#path), name), "utf8")),
    );
  }

  finishRewrite(): void {
    if (this.#rewritten === undefined) return;
    writeFileSync(this.#path, this.#rewritten);
    this.#rewritten = undefined;
    this.#touch(true);
  }

  #apply(action: FileAction): void {
    switch (action.kind) {
      case "append":
        this.#add(action.sizes.map((size) => this.#entry(size)));
        break;
      case "blank":
        this.#add(Array.from({ length: action.count }, () => ""));
        break;
      case "tear":
        this.#tear(action.share);
        break;
      case "noNewline":
        this.#tear(1);
        break;
      case "rewriteSame":
        this.#rewritten = this.#text();
        // Cut between characters; bytes within one are the fuzzers' business.
        this.#put(this.#rewritten.slice(0, Math.floor(action.share * this.#rewritten.length)));
        break;
      case "rewriteOther":
        this.#replace([
          ...this.#lines().slice(0, action.keep + 1),
          this.#entry(20),
          this.#entry(9),
        ]);
        break;
      case "truncate":
        this.#replace(this.#lines().slice(0, action.keep));
        break;
      case "edit":
        this.#edit(action.line);
        break;
      case "reset":
        this.#reset(action.late);
        if (action.anew) this.#add([header(this.id)]);
        break;
      case "remove":
        if (this.#version !== undefined) this.#version.alive = false;
        this.#rename("deleted");
        break;
      case "away":
        renameSync(this.#path, hiddenPath(this.#path));
        break;
    }
  }

  #comeBack(): void {
    if (existsSync(hiddenPath(this.#path))) renameSync(hiddenPath(this.#path), this.#path);
  }

  #reset(late: boolean): void {
    const version = this.#version;
    const path = this.#rename("reset");
    if (!late) return;
    renameSync(path, hiddenPath(path));
    this.#hidden.push({ path, version });
  }

  /** It goes (again) as a generation of its own, and so does everything behind it. */
  #reveal(): void {
    const hidden = this.#hidden.shift();
    if (hidden === undefined) return;
    const { versions } = this.history;
    const index = hidden.version === undefined ? 0 : versions.indexOf(hidden.version);
    this.history.slack += versions.length - index;
    this.history.isShuffled = true;
    renameSync(hiddenPath(hidden.path), hidden.path);
  }

  #rename(reason: "reset" | "deleted"): string {
    this.#stamp += 1000;
    const stamp = new Date(this.#stamp).toISOString().replaceAll(":", "-");
    const path = `${this.#path}.${reason}.${stamp}`;
    renameSync(this.#path, path);
    this.#torn = undefined;
    this.#version = undefined;
    return path;
  }

  #entry(size: number): string {
    const n = this.#count++;
    const content = `${this.id} ${n} ö🦞 ${"x".repeat(size)}`;
    const timestamp = "2026-10-01T08:00:00.000Z";
    return JSON.stringify({ type: "message", id: `e${n}`, parentId: null, timestamp, content });
  }

  #add(lines: readonly string[]): void {
    this.#version ??= this.history.begin();
    this.#version.lines.push(...digestsOf(lines));
    this.#append(lines.map((line) => `${line}\n`).join(""));
  }

  #tear(share: number): void {
    const line = this.#entry(30);
    const at = Math.min(line.length, 1 + Math.floor(share * line.length));
    const counted = at === line.length;
    if (counted) this.#version?.lines.push(digestOf(payloadOf(line) ?? ""));
    this.#append(line.slice(0, at));
    this.#torn = { rest: `${line.slice(at)}\n`, line, counted };
  }

  #finishLine(): void {
    const torn = this.#torn;
    this.#torn = undefined;
    if (torn === undefined) return;
    if (!torn.counted) this.#version?.lines.push(...digestsOf([torn.line]));
    this.#append(torn.rest);
    this.#touch(true);
  }

  #edit(index: number): void {
    const text = this.#text();
    const lines = this.#lines();
    const line = lines[Math.min(index, lines.length - 1)];
    if (line === undefined || !line.includes('"message"')) return;
    if (Buffer.byteLength(text) > SEEN_BYTES) return;
    const edited = line.replace(/"id":"e(\d)/, (_, digit) => `"id":"e${9 - Number(digit)}`);
    this.#replace(lines.map((one) => (one === line ? edited : one)));
  }

  #replace(lines: readonly string[]): void {
    if (this.#version !== undefined) this.#version.alive = false;
    this.#version = this.history.begin(digestsOf(lines));
    this.#put(lines.map((line) => `${line}\n`).join(""));
  }

  #put(text: string): void {
    writeFileSync(this.#path, text);
  }

  #append(text: string): void {
    writeFileSync(this.#path, text, { flag: "a" });
  }

  #text(): string {
    return existsSync(this.#path) ? readFileSync(this.#path, "utf8") : "";
  }

  #lines(): string[] {
    return this.#text().split("\n").slice(0, -1);
  }

  #has(text: string): boolean {
    return this.#text().includes(text);
  }

  #touch(fresh: boolean): void {
    const seconds = this.#now() / 1000 - (fresh ? 0 : 60);
    if (existsSync(this.#path)) utimesSync(this.#path, seconds, seconds);
  }
}

/** Beside the sessions' folder. */
function hiddenPath(path: string): string {
  return join(dirname(dirname(path)), `hidden-${basename(path)}`);
}
