import fc from "fast-check";
import { expect, test } from "vitest";
import { FIRST_LINE_HEADER, GENERATION_HEADER } from "../../../src/protocol/wire.ts";
import { BACKENDS, type ContractReceiver } from "../backends.ts";
import { deleteFrom, send } from "../support.ts";
import { line } from "../wire.ts";

interface Part {
  readonly key: string;
  /** Undefined: as a client of the version before. */
  readonly generation: number | undefined;
  readonly firstLine: number;
  readonly payloads: readonly string[];
}

/** What a receiver shall do, with maps in memory. */
class Model {
  readonly generations = new Map<number, string[]>();
  readonly #known = new Map<string, { readonly content: string; readonly generation: number }>();
  /** Of the generations that came without a number: what was deleted before. */
  readonly #unnamedAfter = new Map<number, number>();
  #through = -1;

  get newest(): number {
    return Math.max(-1, ...this.generations.keys());
  }

  /** Takes a part and returns the status of the answer. */
  take({ key, generation, firstLine, payloads }: Part): number {
    const content = `${firstLine} ${payloads.join()}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known.content === content ? 200 : 422;
    if (generation !== undefined && generation <= this.#through) return 422;
    const newest = this.newest < 0 ? this.#through : this.newest;
    const continued = this.newest < 0 ? newest + 1 : newest;
    const target = generation ?? (firstLine === 0 ? newest + 1 : continued);
    const lines = this.generations.get(target) ?? [];
    if (lines.length !== firstLine) return 409;
    this.generations.set(target, [...lines, ...payloads]);
    if (generation === undefined && firstLine === 0) this.#unnamedAfter.set(target, this.#through);
    this.#known.set(key, { content, generation: target });
    return 200;
  }

  /** Deletes, and returns the answer. */
  delete(through: number): { deleted: number; left: number } {
    const doomed = [...this.generations.keys()].filter(
      (one) => one <= through || (this.#unnamedAfter.get(one) ?? through) < through,
    );
    for (const one of doomed) {
      this.generations.delete(one);
      this.#unnamedAfter.delete(one);
      for (const [key, { generation }] of this.#known) {
        if (generation === one) this.#known.delete(key);
      }
    }
    this.#through = Math.max(this.#through, through);
    return { deleted: Math.min(1, doomed.length), left: Math.min(1, this.generations.size) };
  }
}

type Step =
  | { readonly kind: "restart" }
  | { readonly kind: "delete"; readonly through: number }
  /** One of the parts before once more, as it was or with another body. */
  | { readonly kind: "again"; readonly which: number; readonly changed: boolean }
  | {
      readonly kind: "part";
      readonly generation: number | undefined;
      /** Where it begins: at line 0, where its generation ends, or that far away from it. */
      readonly from: "start" | number;
      readonly lines: number;
    };

const generation = fc.option(fc.constantFrom(0, 1, 2, 3, 1_790_000_000_000), { nil: undefined });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("part" as const),
      generation,
      from: fc.oneof(
        { weight: 2, arbitrary: fc.constant("start" as const) },
        { weight: 5, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.constantFrom(-1, 1) },
      ),
      lines: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("again" as const),
      which: fc.nat(100),
      changed: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("delete" as const),
      through: fc.constantFrom(0, 1, 2, 1_790_000_000_000),
    }),
  },
);

type PartStep = Exclude<Step, { kind: "restart" | "delete" }>;

function partOf(step: PartStep, model: Model, sent: Part[]): Part | null {
  const n = sent.length;
  if (step.kind === "again") {
    const before = sent[step.which % Math.max(n, 1)];
    if (before === undefined) return null;
    return step.changed ? { ...before, payloads: [`{"type":"message","n":${n}}`] } : before;
  }
  const { generation, from, lines } = step;
  const end = model.generations.get(generation ?? model.newest)?.length ?? 0;
  return {
    key: `k${n}`,
    generation,
    firstLine: from === "start" ? 0 : Math.max(0, end + from),
    payloads: Array.from({ length: lines }, (_, i) => `{"type":"message","n":${n},"i":${i}}`),
  };
}

async function sendPart({ url }: ContractReceiver, part: Part): Promise<number> {
  const { key, generation, firstLine, payloads } = part;
  const lines = payloads.map((payload, n) => line({ lineIndex: firstLine + n, payload }));
  const named = generation !== undefined;
  const answer = await send(url, key, lines.join("\n"), {
    [GENERATION_HEADER]: generation?.toString(),
    [FIRST_LINE_HEADER]: named ? String(firstLine) : undefined,
  });
  return answer.status;
}

/** The generations from the oldest to the newest, with the payloads of each. */
async function heldBy(receiver: ContractReceiver): Promise<string[][]> {
  return (await receiver.held()).map(({ text }) => text.split("\n").slice(0, -1));
}

const SESSION = {
  deploymentId: "d",
  projectId: "p",
  scope: "session",
  agentId: "main",
  sessionId: "s1",
};

const RUNS = { files: 150, PostgreSQL: 40 };

test.for(BACKENDS)(
  "in $name, whatever comes late, twice or out of order and is deleted in between, each generation is what the model holds",
  { timeout: 120_000 },
  async ({ name, start }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        let receiver = await start();
        const model = new Model();
        const sent: Part[] = [];
        for (const step of steps) {
          if (step.kind === "restart") {
            receiver = await receiver.restart();
            continue;
          }
          if (step.kind === "delete") {
            const { through } = step;
            const answer = await deleteFrom(receiver.url, { ...SESSION, through });
            expect(answer.json, JSON.stringify(step)).toEqual(model.delete(through));
            continue;
          }
          const part = partOf(step, model, sent);
          if (part === null) continue;
          sent.push(part);
          expect(await sendPart(receiver, part), JSON.stringify(part)).toBe(model.take(part));
        }
        const expected = [...model.generations].sort(([a], [b]) => a - b).map(([, lines]) => lines);
        expect(await heldBy(receiver)).toEqual(expected);
        await receiver.close();
      }),
      { numRuns: RUNS[name] },
    );
  },
);
