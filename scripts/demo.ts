/**
 * `npm run demo`: the plugin in a real OpenClaw, with a stub instead of a model and
 * a receiver on this machine instead of the API. Nothing is left behind.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { readLastRun } from "../src/run/last-run.ts";
import { createOpenClaw, type OpenClaw } from "../test/support/openclaw.ts";
import type { Gateway } from "../test/support/openclaw-gateway.ts";
import { ownOpenclawHost } from "../test/support/openclaw-host.ts";
import { packPlugin } from "../test/support/openclaw-package.ts";
import { type CliResult, finish } from "../test/support/openclaw-process.ts";
import { readEvents } from "../test/support/openclaw-transcripts.ts";
import { startStubModel } from "../test/support/stub-model.ts";
import { compare, sizeOf } from "./lib/compare.ts";
import { formatBytes, Stage } from "./lib/stage.ts";
import { Talk } from "./lib/talk.ts";

const API_KEY = "a-key-for-the-demo";
const AGENT_IDS = ["main", "ops", "notes"];

/** How often somebody speaks in which session. The first is long enough to show what an upload saves. */
const TURNS: readonly [sessionKey: string, turns: number][] = [
  ["agent:main:main", 12],
  ["agent:main:invoices", 2],
  ["agent:ops:main", 3],
  ["agent:ops:nightly-build", 2],
  ["agent:notes:main", 2],
];
const [LONGEST] = TURNS[0] ?? [""];

const stage = new Stage();
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Not only once: a second Ctrl-C must not cut the cleaning up short.
  process.on(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
}

const cleanups: (() => Promise<void>)[] = [];
try {
  const stopped = once(interrupted.signal, "abort").then(() => interrupted.signal.throwIfAborted());
  await Promise.race([demo(), stopped]);
} catch (error) {
  stage.waited();
  stage.bad(error instanceof Error ? error.message : String(error));
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
}
// A command that an interrupt left unfinished would keep the process.
process.exit();

async function demo(): Promise<void> {
  const host = await ownOpenclawHost();
  stage.title(`Influxion in OpenClaw ${host.version}, in a temporary folder on this machine only`);
  const folder = await temporaryFolder();
  const talk = new Talk(join(folder, "files"));
  await talk.writeFiles();
  const model = await startStubModel({ answer: talk.answer });
  cleanups.push(() => model.close());
  const openclaw = await createOpenClaw({
    host,
    modelUrl: model.baseUrl,
    agentIds: AGENT_IDS,
  });
  cleanups.push(() => openclaw.close());

  stage.chapter("Three agents are at work");
  stage.say("A Gateway runs them; a stub stands in for the model, and they read files.");
  const before = await startGateway(openclaw);
  stage.say("The Gateway is ready.\n\n");
  await makeSessions(before, talk);
  // Installing a plugin needs a restart of the Gateway anyway.
  await before.stop();
  await describeSessions(openclaw.stateDir);

  stage.chapter("The plugin is installed");
  stage.wait("The plugin is packed");
  const tarball = await packPlugin(folder);
  stage.waited();
  await command(openclaw, ["plugins", "install", tarball, "--force", "--accept-capabilities"]);

  stage.chapter("A receiver stands in for the API");
  const received = join(openclaw.dir, "received");
  const receiver = await startReceiver(openclaw, received);
  stage.say("\nThis goes into openclaw.json, under plugins.entries.influxion.config.");
  stage.say("Only `sync` uploads here; without `every`, the Gateway does so every 15 minutes.\n\n");
  const config = {
    apiUrl: receiver.url,
    apiKey: API_KEY,
    deploymentId: "demo",
    projectId: "demo",
    upload: { every: "0" },
  };
  stage.say(JSON.stringify(config, null, 2));
  await openclaw.configurePlugin(config);

  stage.chapter("What would be uploaded? Nothing is sent to find out");
  await command(openclaw, ["influxion", "status"]);

  stage.chapter("The first upload: everything there is");
  const first = await sync(openclaw);

  stage.chapter("Somebody goes on talking, and only that is uploaded");
  const gateway = await startGateway(openclaw);
  await gateway.turn(talk.ask(), LONGEST);
  stage.say("One turn was added to the longest session.");
  const second = await sync(openclaw);
  stage.say(
    `\nOn the wire: ${formatBytes(first)} the first time, ${formatBytes(second)} the second.`,
  );

  stage.chapter("And nothing is uploaded twice");
  await command(openclaw, ["influxion", "sync"]);
  await command(openclaw, ["influxion", "status"]);

  stage.chapter("What the receiver holds, compared with what is in the databases");
  const summary = await receiver.stop();
  await gateway.stop();
  await compare(stage, await readEvents(openclaw.stateDir), received);
  stage.say(`\n${summary}`);
}

async function startGateway(openclaw: OpenClaw): Promise<Gateway> {
  interrupted.signal.throwIfAborted();
  stage.command("openclaw gateway run");
  stage.wait("The Gateway starts");
  const gateway = await openclaw.startGateway();
  stage.waited();
  return gateway;
}

async function makeSessions(gateway: Gateway, talk: Talk): Promise<void> {
  for (const [sessionKey, turns] of TURNS) {
    stage.wait(`${sessionKey} talks`);
    for (let i = 0; i < turns; i++) await gateway.turn(talk.ask(), sessionKey);
    stage.waited();
    stage.say(`${sessionKey}: ${turns} turns`);
  }
  stage.say("\n");
}

async function describeSessions(stateDir: string): Promise<void> {
  const sessions = Object.entries(await readEvents(stateDir));
  for (const agentId of AGENT_IDS) {
    const own = sessions.filter(([session]) => session.startsWith(`${agentId}/`));
    const bytes = own.reduce((sum, [, events]) => sum + sizeOf(events), 0);
    const count = `${own.length} ${own.length === 1 ? "session" : "sessions"}`;
    stage.say(`${agentId}: ${count}, ${formatBytes(bytes)} in openclaw-agent.sqlite`);
  }
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "influxion-demo-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Shows the command as a user would type it, runs it and shows what it says. */
async function command(openclaw: OpenClaw, args: readonly string[]): Promise<CliResult> {
  interrupted.signal.throwIfAborted();
  const typed = args.map((arg) => (arg.endsWith(".tgz") ? basename(arg) : arg));
  stage.command(`openclaw ${typed.join(" ")}`);
  stage.wait("OpenClaw takes a few seconds for a command");
  const result = await openclaw.run(...args);
  stage.waited();
  stage.say(result.stdout + result.stderr);
  if (result.code !== 0) throw new Error(`the command ended with exit code ${result.code}`);
  return result;
}

/** @returns the bytes that went over the wire */
async function sync(openclaw: OpenClaw): Promise<number> {
  await command(openclaw, ["influxion", "sync"]);
  const last = await readLastRun(openclaw.stateDir);
  return last?.report?.sent.wireBytes ?? 0;
}

interface Receiver {
  readonly url: string;
  /** Ends it as Ctrl-C does. Resolves with its last words. */
  stop(): Promise<string>;
}

async function startReceiver(openclaw: OpenClaw, dir: string): Promise<Receiver> {
  interrupted.signal.throwIfAborted();
  stage.command(`openclaw influxion receive --port 0 --dir received --key ${API_KEY}`);
  stage.wait("OpenClaw takes a few seconds for a command");
  const child = openclaw.start(
    ...["influxion", "receive", "--port", "0", "--dir", dir, "--key", API_KEY],
  );
  const ended = finish(child, 3_600_000);
  const url = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const match = /^Receiving sessions at (\S+)$/m.exec(said);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
    ended.then(({ stderr }) => reject(new Error(`the receiver did not start: ${stderr}`)), reject);
  });
  stage.waited();
  stage.say(`Receiving sessions at ${url}`);
  return {
    url,
    async stop() {
      child.kill("SIGINT");
      const { stdout } = await ended;
      return stdout.trimEnd().split("\n").at(-1) ?? "";
    },
  };
}
