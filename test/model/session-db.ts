import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestsOf, History, type Version } from "../soak/history.ts";
import { AgentDb } from "../support/agent-db.ts";
import { header } from "../support/transcripts.ts";
import type { FileAction } from "./actions.ts";
import type { HostSession } from "./session-file.ts";

/** One session of a host that keeps it in a database, and a past in files that comes to light late. */
export class SessionDb implements HostSession, Disposable {
  readonly id: string;
  readonly history = new History();
  readonly #stateDir: string;
  /** The one that came to light last first. */
  readonly #archives: string[][] = [];
  #made: AgentDb | undefined;
  #version: Version | undefined;
  #count = 0;

  constructor(stateDir: string, id: string) {
    this.id = id;
    this.#stateDir = stateDir;
  }

  get #db(): AgentDb {
    this.#made ??= new AgentDb(this.#stateDir);
    return this.#made;
  }

  write(action: FileAction): void {
    if (this.#version === undefined) this.#begin();
    switch (action.kind) {
      case "append":
        this.#append(action.sizes.map((size) => this.#entry(size)));
        break;
      case "rewriteOther":
        this.#replace([...this.#db.texts(this.id).slice(0, action.keep + 1), this.#entry(9)]);
        break;
      case "reveal":
        this.#reveal();
    }
  }

  finishRewrite(): void {
    // A transaction is never half done.
  }

  settle(): void {
    // Nor is anything else.
  }

  onDisk(): string[][] {
    return this.#made === undefined ? [] : [...this.#archives, this.#made.texts(this.id)];
  }

  [Symbol.dispose](): void {
    this.#made?.close();
  }

  #begin(): void {
    this.#version = this.history.begin();
    this.#db.addSession(this.id, []);
    this.#append([header(this.id), this.#entry(9)]);
  }

  #append(lines: readonly string[]): void {
    this.#version?.lines.push(...digestsOf(lines));
    this.#db.append(this.id, lines);
  }

  #replace(lines: readonly string[]): void {
    if (this.#version !== undefined) this.#version.alive = false;
    this.#version = this.history.begin(digestsOf(lines));
    this.#db.renumber(this.id, lines);
  }

  /** A file of the time before the database, older than all that was there so far or newer than some of it. */
  #reveal(): void {
    const lines = [header(this.id), this.#entry(20)];
    const number = this.#archives.unshift(lines);
    const stamp = new Date(Date.UTC(2026, 9, 1 + ((number * 7) % 27))).toISOString();
    const name = `${this.id}.jsonl.reset.${stamp.replaceAll(":", "-")}`;
    mkdirSync(this.#db.sessionsDir, { recursive: true });
    const path = join(this.#db.sessionsDir, name);
    writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
    utimesSync(path, 1_790_000_000, 1_790_000_000);
    this.history.versions.unshift({ lines: digestsOf(lines), alive: true });
    this.history.slack += this.history.versions.length;
    this.history.isShuffled = true;
  }

  #entry(size: number): string {
    const n = this.#count++;
    const content = `${this.id} ${n} ${"x".repeat(size)}`;
    const timestamp = "2026-10-01T08:00:00.000Z";
    return JSON.stringify({ type: "message", id: `d${n}`, parentId: null, timestamp, content });
  }
}
