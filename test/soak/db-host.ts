import { AgentDb } from "../support/agent-db.ts";
import type { Dice } from "./dice.ts";
import type { EntryMaker } from "./entries.ts";
import { digestsOf, History, type Version } from "./history.ts";

const LARGE_EVENTS = 250;
const MAX_SESSIONS = 8;

interface DbSession {
  readonly id: string;
  readonly history: History;
  version: Version;
}

/** Does to an agent's database what hosts do, one transaction an action. */
export class DbHost {
  static readonly agentId = "base";
  readonly histories = new Map<string, History>();
  readonly #agent: AgentDb;
  readonly #dice: Dice;
  readonly #entries: EntryMaker;
  readonly #sessions: DbSession[] = [];
  /** Sessions the host has moved to cold storage. */
  readonly #cold = new Set<string>();
  #count = 0;
  #clock = 0;

  constructor(stateDir: string, dice: Dice, entries: EntryMaker) {
    this.#agent = new AgentDb(stateDir, { agentId: DbHost.agentId });
    this.#dice = dice;
    this.#entries = entries;
    for (let n = 0; n < 3; n++) this.#create();
  }

  act(): void {
    const session = this.#dice.pick(this.#sessions);
    const large = this.#agent.texts(session.id).length > LARGE_EVENTS;
    const action = this.#dice.weighted({
      append: large ? 0 : 60,
      renumber: large ? 40 : 5,
      rewriteLast: 5,
      annotate: 5,
      remove: 2,
      cold: 2,
      create: 4,
    });
    if (action === "create") this.#create();
    else if (!this.#cold.has(session.id)) this.#change(session, action);
  }

  /** What is on disk of a session. */
  onDisk(key: string): string[] {
    return digestsOf(this.#agent.texts(key.slice(DbHost.agentId.length + 1)));
  }

  isCold(key: string): boolean {
    return this.#cold.has(key.slice(DbHost.agentId.length + 1));
  }

  close(): void {
    this.#agent.close();
  }

  #change(session: DbSession, action: string): void {
    const { id } = session;
    const agent = this.#agent;
    const texts = agent.texts(id);
    switch (action) {
      case "append":
        this.#append(session, this.#events(this.#dice.int(1, 8)));
        break;
      case "cold":
        this.#cold.add(id);
        this.#transaction(() => agent.moveToCold(id));
        break;
      case "remove":
        this.#remove(session);
        break;
      case "annotate":
        // The host's generation changes although the events before the newest stay.
        this.#transaction(() => agent.rotate(id, this.#now()));
        break;
      case "rewriteLast":
        this.#replace(session, [...texts.slice(0, -1), this.#entries.event()]);
        break;
      case "renumber":
        this.#replace(session, [
          texts[0] ?? this.#entries.header(id),
          ...texts.slice(1).slice(-this.#dice.int(1, 20)),
        ]);
        break;
    }
  }

  #replace(session: DbSession, texts: readonly string[]): void {
    const { id, history } = session;
    session.version.alive = false;
    session.version = history.begin(digestsOf(texts));
    this.#transaction(() => {
      this.#agent.db.prepare("DELETE FROM transcript_events WHERE session_id = ?").run(id);
      texts.forEach((text, seq) => {
        this.#agent.put(id, seq, text);
      });
      this.#agent.rotate(id, this.#now());
    });
  }

  #create(): void {
    const id = `d${this.#count++}`;
    const history = new History();
    this.histories.set(`${DbHost.agentId}/${id}`, history);
    if (this.#sessions.length >= MAX_SESSIONS) this.#sessions.splice(0, 1);
    const texts = [this.#entries.header(id), ...this.#events(this.#dice.int(1, 5))];
    this.#sessions.push({ id, history, version: history.begin(digestsOf(texts)) });
    this.#agent.addSession(id, []);
    this.#insert(id, 0, texts);
  }

  #append(session: DbSession, texts: readonly string[]): void {
    session.version.lines.push(...digestsOf(texts));
    this.#insert(session.id, this.#agent.texts(session.id).length, texts);
  }

  #insert(id: string, from: number, texts: readonly string[]): void {
    this.#transaction(() => {
      texts.forEach((text, index) => {
        this.#agent.put(id, from + index, text);
      });
      this.#agent.touch(id, this.#now());
    });
  }

  #remove(session: DbSession): void {
    session.version.alive = false;
    session.history.deletedAt = Date.now();
    this.#transaction(() => this.#agent.deleteSession(session.id));
    this.#sessions.splice(this.#sessions.indexOf(session), 1);
    this.#create();
  }

  #events(count: number): string[] {
    return Array.from({ length: count }, () => this.#entries.event());
  }

  #transaction(change: () => unknown): void {
    this.#agent.db.exec("BEGIN IMMEDIATE");
    change();
    this.#agent.db.exec("COMMIT");
  }

  /** The host's clock never stands still between two writes. */
  #now(): number {
    this.#clock = Math.max(this.#clock + 1, Date.now());
    return this.#clock;
  }
}
