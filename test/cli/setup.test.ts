import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defaultDeployment } from "../../src/cli/setup/deployment.ts";
import { Interrupted, type Prompter } from "../../src/cli/setup/prompter.ts";
import { type SetupFlags, type SetupOptions, setup } from "../../src/cli/setup.ts";
import { InfluxionError } from "../../src/shared/problem.ts";
import { API_KEY, Lab, plainSecrets, type Spoken, spoken } from "../support/lab.ts";
import { snapshot } from "../support/snapshot.ts";

interface Case extends Partial<SetupOptions> {
  readonly flags?: SetupFlags;
  /** What is typed, one answer after the other; behind the last one Ctrl-C. Nobody is there without it. */
  readonly typed?: readonly string[];
  /** The answer to "Write this?"; nobody is there to ask without it. */
  readonly confirms?: boolean;
  readonly input?: string;
}

interface Done extends Spoken {
  /** The options as they were written, or null. */
  readonly written: Record<string, unknown> | null;
  readonly questions: readonly string[];
}

/** `setup` against the lab's receiver, with a config that is kept in memory. */
async function setUp(lab: Lab, given: Case = {}): Promise<Done> {
  const { typed, confirms, input = "", present = {}, flags = {}, ...more } = given;
  let written: Record<string, unknown> | null = null;
  const questions: string[] = [];
  const answers = [...(typed ?? [])];
  const answer = (question: string): Promise<string> => {
    questions.push(question);
    const next = answers.shift();
    return next === undefined
      ? Promise.reject(new Interrupted("interrupted"))
      : Promise.resolve(next);
  };
  const prompter: Prompter = { ask: answer, askSecret: answer };
  const done = await spoken((terminal) =>
    setup({
      stateDir: lab.stateDir,
      present,
      flags,
      prompter: typed === undefined ? null : prompter,
      ask: confirms === undefined ? null : () => Promise.resolve(confirms),
      readInput: () => Promise.resolve(input),
      write: (change) => {
        written = change(present) as Record<string, unknown>;
        return Promise.resolve("/somewhere/openclaw.json");
      },
      secrets: plainSecrets,
      gateway: () => Promise.resolve({ kind: "ready", at: "127.0.0.1:18789" }),
      env: {},
      signal: new AbortController().signal,
      now: lab.now,
      terminal,
      ...more,
    }),
  );
  expect(done.out + done.err + questions.join()).not.toContain(API_KEY);
  return { ...done, written, questions };
}

async function labWithSession(): Promise<Lab> {
  const lab = await Lab.start();
  lab.session("main", "abc");
  return lab;
}

const full = (lab: Lab) => ({
  apiUrl: lab.receiver.url,
  apiKey: API_KEY,
  projectId: "p-1",
  deploymentId: "laptop",
});

test("P101: asks, shows what would go and to whom, writes after a yes, and checks", async () => {
  await using lab = await labWithSession();
  const { out, err, code, written, questions } = await setUp(lab, {
    flags: { apiUrl: lab.receiver.url },
    typed: ["p-1", "", API_KEY],
    confirms: true,
  });
  expect(questions).toHaveLength(3);
  expect(err).toContain(`Target      ${lab.receiver.url}`);
  expect(err).toContain("Sends       content full, credentials redacted");
  expect(err).toMatch(/To send {5}1 session, [\d.]+ kB of transcripts$/m);
  expect(written).toEqual({ ...full(lab), deploymentId: defaultDeployment() });
  expect(out).toContain("✓ credentials  the API takes this key for project p-1");
  expect(code).toBe(0);
  expect(lab.receiver.stats().parts).toBe(0);
});

test("P101: a no, Ctrl-C at each question, and nobody to ask change nothing", async () => {
  await using lab = await labWithSession();
  const flags = { apiUrl: lab.receiver.url };
  const before = snapshot(lab.dir);
  const typed = ["p-1", "laptop", API_KEY];
  for (let answers = 0; answers < typed.length; answers++) {
    const cut = await setUp(lab, { flags, typed: typed.slice(0, answers), confirms: true });
    expect(cut).toMatchObject({ code: 130, written: null });
    expect(cut.err).toContain("Interrupted. Nothing was changed.");
  }
  expect(await setUp(lab, { flags, typed, confirms: false })).toMatchObject({
    code: 1,
    written: null,
  });
  const signal = AbortSignal.abort(new Error("interrupted"));
  const aborted = await setUp(lab, { flags, typed, confirms: true, signal });
  expect(aborted).toMatchObject({ code: 130, written: null });
  const unasked = await setUp(lab, { present: full(lab), flags: { every: "1h" } });
  expect(unasked).toMatchObject({ code: 1, written: null });
  expect(unasked.err).toContain("add --yes");
  expect(snapshot(lab.dir)).toBe(before);
});

test("without a terminal and without flags it says which flags it wants", async () => {
  await using lab = await labWithSession();
  const { code, err, written } = await setUp(lab);
  expect(err).toMatch(/Nothing was changed: .*--project <id> and --api-key-stdin/);
  expect([code, written]).toEqual([1, null]);
});

test("everything can be given as flags, with the key on stdin", async () => {
  await using lab = await labWithSession();
  const flags = {
    project: "p-1",
    deployment: "laptop",
    apiUrl: lab.receiver.url,
    every: "0",
    apiKeyStdin: true,
    yes: true,
  };
  const { code, written } = await setUp(lab, { flags, input: `${API_KEY}\n` });
  expect(written).toEqual({ ...full(lab), upload: { every: "0" } });
  expect(code).toBe(0);
});

test.for([
  [{ apiKeyEnv: "MY_KEY" }, { source: "env", provider: "default", id: "MY_KEY" }],
  [
    { refSource: "file", refProvider: "vault", refId: "/influxion/key" },
    { source: "file", provider: "vault", id: "/influxion/key" },
  ],
  [
    { refSource: "store", refId: "KEY" },
    { source: "store", provider: "default", id: "KEY" },
  ],
] as const)("P101: a reference is written as one, and the key is not: %j", async ([flags, ref]) => {
  await using lab = await labWithSession();
  const given = { project: "p-1", apiUrl: lab.receiver.url, yes: true, ...flags };
  const secrets = () => Promise.resolve({ apiKey: API_KEY });
  const { code, written, err } = await setUp(lab, { flags: given, secrets });
  expect(written).toMatchObject({ apiKey: ref });
  expect(JSON.stringify(written)).not.toContain(API_KEY);
  expect(err).toContain(`secret reference ${ref.source}:${ref.id}`);
  expect(code).toBe(0);
});

test("a reference that leads to nothing here is told before it is written", async () => {
  await using lab = await labWithSession();
  const reason = "apiKey is a secret reference (env:MY_KEY) that could not be resolved: not set";
  const secrets = () => Promise.reject(new InfluxionError("API_KEY_UNRESOLVED", reason));
  const flags = { project: "p-1", apiKeyEnv: "MY_KEY" };
  const { err, written } = await setUp(lab, { flags, secrets });
  expect(err).toContain(`API key     ${reason}; nothing is sent until the Gateway finds it`);
  expect(written).toBeNull();
});

test("at a prompt, $NAME is a reference, and a variable that is set is offered", async () => {
  await using lab = await labWithSession();
  const flags = { apiUrl: lab.receiver.url };
  const secrets = () => Promise.resolve({ apiKey: API_KEY });
  const named = { flags, secrets, typed: ["p", "", "$MY_KEY"], confirms: true };
  expect((await setUp(lab, named)).written).toMatchObject({ apiKey: { id: "MY_KEY" } });
  const offered = { ...named, typed: ["p", "", ""], env: { INFLUXION_API_KEY: API_KEY } };
  const { written, questions } = await setUp(lab, offered);
  expect(questions.at(-1)).toContain("[$INFLUXION_API_KEY]");
  expect(written).toMatchObject({ apiKey: { source: "env", id: "INFLUXION_API_KEY" } });
});

test.for([
  [{ apiKeyStdin: true }, "two words", "API key alone"],
  [{ apiKeyStdin: true }, "", "stdin held nothing"],
  [{ apiKeyEnv: API_KEY }, "", "does not belong into the command line"],
  [{ apiKeyStdin: true, apiKeyEnv: "KEY" }, API_KEY, "give the key in one way"],
  [{ refSource: "vault", refId: "x" }, "", "a reference wants --ref-source"],
  [{ refSource: "env" }, "", "and --ref-id"],
  [{ every: "sometimes", apiKeyEnv: "KEY" }, "", "expected an interval"],
  [{ apiUrl: "http://api.example.com", apiKeyEnv: "KEY" }, "", "https"],
] as const)("a key, reference or value of a wrong form is refused: %j", async (given) => {
  const [flags, input, expected] = given;
  await using lab = await labWithSession();
  const done = await setUp(lab, { flags: { project: "p", yes: true, ...flags }, input });
  expect(done).toMatchObject({ code: 1, written: null });
  expect(done.err).toContain(expected);
});

test("at a prompt, what is wrong is asked for again", async () => {
  await using lab = await labWithSession();
  const { written, err } = await setUp(lab, {
    flags: { advanced: true },
    typed: ["", "p-1", "laptop", "ftp://x", lab.receiver.url, "two words", API_KEY],
    confirms: true,
  });
  expect(written).toEqual(full(lab));
  expect(err).toContain("Expected the project's id");
  expect(err).toContain("Expected an https URL");
});

test("run again, it offers what is there, keeps the key, and changes what is given alone", async () => {
  await using lab = await labWithSession();
  const present = { ...full(lab), filter: { minMessages: 1 }, upload: { concurrency: 1 } };
  const { written, questions } = await setUp(lab, {
    present,
    typed: ["", "desktop", ""],
    confirms: true,
  });
  expect(questions).toEqual([
    expect.stringContaining("[p-1]"),
    expect.stringContaining("[laptop]"),
    expect.stringContaining("[sk-…1706]"),
  ]);
  expect(written).toEqual({ ...present, deploymentId: "desktop" });
  const flags = { every: "1h", yes: true };
  expect((await setUp(lab, { present, flags })).written).toEqual({
    ...present,
    upload: { concurrency: 1, every: "1h" },
  });
});

test("options with wrong values are named, and removed when that is wished", async () => {
  await using lab = await labWithSession();
  const present = {
    ...full(lab),
    upload: { every: "sometimes", concurrency: 1 },
    filter: { kinds: ["cron", "nonsense"] },
  };
  const mended = { ...full(lab), upload: { concurrency: 1 }, filter: {} };
  const asked = await setUp(lab, { present, typed: ["", "", "", "y", ""], confirms: true });
  expect(asked.err).toContain('found "sometimes" at upload.every');
  expect(asked.written).toEqual(mended);
  const refused = await setUp(lab, { present, flags: { yes: true } });
  expect(refused).toMatchObject({ code: 1, written: null });
  expect(refused.err).toContain("add --fix");
  expect((await setUp(lab, { present, flags: { yes: true, fix: true } })).written).toEqual(mended);
});

test("a name that is no option is told with what was meant, and removed when that is wished", async () => {
  await using lab = await labWithSession();
  const present = { ...full(lab), uplaod: { every: "1h" } };
  const kept = await setUp(lab, { present, typed: ["", "", "", "n"], confirms: true });
  expect(kept.err).toContain("uplaod is no option");
  expect(kept.written).toEqual(present);
  expect(kept.out).toMatch(/! config +uplaod is no option/);
  const flags = { yes: true, fix: true };
  expect((await setUp(lab, { present, flags })).written).toEqual(full(lab));
});

test("where the host cannot or does not write, it says why and what to paste, without the key", async () => {
  await using lab = await labWithSession();
  const flags = { project: "p-1", apiUrl: lab.receiver.url, apiKeyStdin: true, yes: true };
  const failing = () =>
    Promise.reject(new InfluxionError("CONFIG_NOT_WRITTEN", `not written: ${API_KEY} is no key`));
  for (const write of [null, failing]) {
    const { code, err } = await setUp(lab, { flags, input: API_KEY, write });
    expect(err).toContain('"apiKey": "<your API key>"');
    expect(err).toContain('"projectId": "p-1"');
    expect(err).toContain("Nothing was changed: ");
    expect(code).toBe(1);
  }
});

test("an API that refuses the key is told, and the config is written all the same", async () => {
  await using lab = await labWithSession();
  const flags = { project: "p-1", apiUrl: lab.receiver.url, apiKeyStdin: true, yes: true };
  const { code, out, err, written } = await setUp(lab, { flags, input: "sk-another-key" });
  expect(written).not.toBeNull();
  expect(out).toMatch(/✗ credentials/);
  expect(err).toContain("The config is written all the same");
  expect(code).toBe(3);
});

test("a ledger that cannot be read does not keep the setup from being made", async () => {
  await using lab = await labWithSession();
  await lab.sync();
  writeFileSync(lab.ledgerPaths.primary, "damaged");
  rmSync(lab.ledgerPaths.copy);
  mkdirSync(lab.ledgerPaths.copy);
  const { err, code } = await setUp(lab, { present: full(lab), flags: { yes: true } });
  expect(err).toMatch(/To send {5}not known: the record of what has been uploaded/);
  expect(code).toBe(1);
});

test.for([
  ["Anna's MacBook Pro.local", "anna-s-macbook-pro"],
  ["web-01.example.com", "web-01"],
  ["localhost", "my-openclaw"],
  ["…", "my-openclaw"],
  ["x".repeat(100), "x".repeat(63)],
])("the host name %j makes the deployment %j", ([host = "", expected]) => {
  expect(defaultDeployment(host)).toBe(expected);
});
