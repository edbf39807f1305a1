import fc from "fast-check";
import { expect, test } from "vitest";
import { type Position, START, type Store } from "../../src/stores/store.ts";
import { type AgentDb, drain, openAgent } from "../support/agent-db.ts";

/** What a host does to a session, in words of one line each. */
type Action =
  | { readonly do: "append"; readonly count: number; readonly bytes: number }
  | { readonly do: "annotate" | "trim" | "renumber" | "cold" | "warm" | "delete" | "look" };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      count: fc.integer({ min: 1, max: 40 }),
      bytes: fc.integer({ min: 10, max: 3000 }),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ do: "look" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "annotate" as const,
        "trim" as const,
        "renumber" as const,
        "cold" as const,
        "warm" as const,
        "delete" as const,
      ),
    }),
  },
);

/** Does to the database what the host would, and remembers what a reader must find. */
class Host {
  readonly agent: AgentDb;
  texts: string[] = [];
  #cold = false;
  #made = 0;

  constructor(agent: AgentDb) {
    this.agent = agent;
  }

  act(next: Action): void {
    const { agent } = this;
    const exists = this.texts.length > 0;
    if (next.do === "append") {
      this.#restore();
      const texts = Array.from({ length: next.count }, () => this.#text(next.bytes));
      if (exists) agent.append("s", texts);
      else agent.addSession("s", texts);
      this.texts.push(...texts);
    } else if (!exists || next.do === "look") {
      return;
    } else if (next.do === "cold") {
      if (!this.#cold) agent.moveToCold("s");
      this.#cold = true;
    } else if (next.do === "warm") {
      this.#restore();
    } else if (next.do === "delete") {
      this.#restore();
      agent.deleteSession("s");
      this.texts = [];
    } else {
      this.#restore();
      this.#rewrite(next.do);
    }
  }

  #rewrite(what: "annotate" | "trim" | "renumber"): void {
    const last = this.texts.length - 1;
    if (what === "annotate") {
      const text = this.#text(60);
      this.agent.put("s", last, text);
      this.texts[last] = text;
      this.agent.rotate("s");
    } else if (what === "trim" && last > 0) {
      this.agent.db.prepare("DELETE FROM transcript_events WHERE seq = ?").run(last);
      this.texts.pop();
      this.agent.rotate("s");
    } else if (what === "renumber") {
      this.texts = this.texts.slice(last >> 1);
      this.agent.renumber("s", this.texts);
    }
  }

  #restore(): void {
    if (!this.#cold) return;
    this.#cold = false;
    this.agent.db.exec("DELETE FROM session_transcript_cold_archives");
    this.texts.forEach((text, seq) => {
      this.agent.put("s", seq, text);
    });
  }

  #text(bytes: number): string {
    this.#made += 1;
    return JSON.stringify({ type: "message", id: this.#made, text: "é".repeat(bytes) });
  }
}

/** What an uploader does with one session: continue where it was, or start again. */
class Uploader {
  received: string[] = [];
  #position: Position = START;
  #signature: string | undefined;

  async look(store: Store): Promise<void> {
    const stream = (await store.list()).streams[0];
    if (stream === undefined || stream.signature === this.#signature) return;
    const reader = await store.open(stream);
    if ((await reader.verify(this.#position)) === "changed") {
      this.#position = START;
      this.received = [];
    }
    const { lines, end, fingerprint } = await drain(reader, { from: this.#position.offset });
    this.received.push(...lines);
    if (lines.length > 0) {
      this.#position = { offset: end, lines: this.received.length, messages: 0, fingerprint };
    }
    this.#signature = stream.signature;
  }
}

test("P12, P14, P15: whatever the host does, every look leaves the receiver with exactly what is there", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 3, maxLength: 25 }), async (actions) => {
      const { agent, store } = openAgent();
      const host = new Host(agent);
      const uploader = new Uploader();
      for (const next of actions) {
        host.act(next);
        if (next.do !== "look") continue;
        await uploader.look(store);
        if (host.texts.length > 0) expect(uploader.received).toEqual(host.texts);
      }
    }),
    { numRuns: 40 },
  );
});
