import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFailed, test, vi } from "vitest";
import { readState } from "../../src/cli/state.ts";
import { readConfig } from "../../src/config/config.ts";
import { createFilter } from "../../src/config/filter.ts";
import type { SessionKind } from "../../src/shared/session-kind.ts";
import { findAgents } from "../../src/stores/agents.ts";
import { createOpenClaw, type OpenClaw } from "../support/openclaw.ts";
import type { Gateway } from "../support/openclaw-gateway.ts";
import { JSONL_VERSION, openclawHost, SQLITE_VERSION } from "../support/openclaw-host.ts";
import { type StubModel, startStubModel } from "../support/stub-model.ts";

/** A session that is spawned, or that a heartbeat begins, is there a while after what made it. */
const SOON = { timeout: 60_000, interval: 500 };

describe.each([JSONL_VERSION, SQLITE_VERSION])("kinds of session in OpenClaw %s", (version) => {
  let openclaw: OpenClaw;
  let model: StubModel;
  let gateway: Gateway;

  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await openclaw.run(...args);
    expect({ code, stderr, stdout }).toMatchObject({ code: 0 });
    return stdout;
  };
  const filterOf = (filter: object) => {
    const given = { apiKey: "k", deploymentId: "d", projectId: "p", filter };
    const result = readConfig(given);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    return result.config;
  };
  /** Keys of the sessions that are of a kind, without their agent. */
  const keysOf = async (kind: SessionKind): Promise<string[]> => {
    const filter = createFilter(filterOf({ kinds: [kind] }).filter, 0);
    const { stateDir } = openclaw;
    await using found = await findAgents({
      stateDir,
      filter,
      now: Date.now,
      knownBytes: () => undefined,
    });
    const listed = found.agents.flatMap(({ stores }) => stores.map((store) => store.list()));
    const streams = (await Promise.all(listed)).flatMap((listing) => listing.streams);
    return streams
      .filter(({ facts }) => facts?.kinds.includes(kind))
      .map(({ names }) => names.find((name) => name.startsWith("agent:main:")) ?? "")
      .map((key) => key.slice("agent:main:".length).replace(/[0-9a-f-]{36}/g, "<id>"));
  };

  beforeAll(async () => {
    model = await startStubModel({
      answer: ({ said, toolResults }) =>
        said.startsWith("Spawn ") && toolResults === 0
          ? { toolCalls: [{ name: "sessions_spawn", args: { task: said.slice("Spawn ".length) } }] }
          : { text: `Done: ${said.slice(0, 100)}` },
    });
    openclaw = await createOpenClaw({
      host: await openclawHost(version),
      modelUrl: model.baseUrl,
      env: { OPENCLAW_SKIP_CRON: "" },
    });
    const heartbeat = { every: "1h", isolatedSession: true, target: "none" };
    await run("config", "set", "agents.defaults.heartbeat", JSON.stringify(heartbeat));
    gateway = await openclaw.startGateway();
  });

  afterAll(async () => {
    await gateway?.stop();
    await model?.close();
    await openclaw?.close();
  });

  test("P76: each kind is told from what the host itself keeps", async () => {
    onTestFailed(() => {
      process.stderr.write(`The Gateway's last words:\n${gateway?.log().slice(-6000)}\n`);
    });
    await gateway.turn("Spawn a greeting from below");
    await gateway.turn("Hello, all of you", "agent:main:telegram:group:-100");
    await gateway.turn("Hello, you", "agent:main:telegram:direct:7");
    const job = ["--name", "daily", "--every", "1d", "--message", "The news of today"];
    const added = await run(
      "cron",
      "add",
      ...job,
      "--session",
      "isolated",
      "--no-deliver",
      "--json",
    );
    const { id } = JSON.parse(added) as { id: string };
    await run("cron", "run", id);
    await run("system", "event", "--text", "Look around", "--mode", "now");

    await vi.waitFor(async () => {
      expect(await keysOf("subagent")).toEqual(["subagent:<id>"]);
      expect(await keysOf("cron")).toEqual([expect.stringMatching(/^cron:<id>(?::run:.+)?$/)]);
      expect(await keysOf("heartbeat")).toEqual(["main:heartbeat"]);
    }, SOON);
    expect(await keysOf("group")).toEqual(["telegram:group:-100"]);
    expect(await keysOf("direct")).toContain("telegram:direct:7");
    const all = ["cron", "subagent", "heartbeat", "group", "direct"];
    const { counts, failing } = await readState(
      openclaw.stateDir,
      filterOf({ kinds: all, minMessages: 0, minBytes: 0 }),
      Date.now,
    );
    expect(failing).toEqual([]);
    expect(counts.found - (counts.skipped["filter.kinds"] ?? 0)).toBeLessThanOrEqual(1);
    process.stderr.write(`${join(version, "direct")}: ${await keysOf("direct")}\n`);
  });
});
