import { expect, test } from "vitest";
import { startUploads } from "../../src/openclaw/gateway.ts";
import { Lab } from "../support/lab.ts";

/** What a start of the Gateway logs about this config, with uploads only by hand unless it says otherwise. */
async function logOf(stateDir: string, config: object): Promise<string[]> {
  const said: string[] = [];
  const say = (line: string): unknown => said.push(line);
  const logger = { info: say, warn: say };
  const scheduler = startUploads({ stateDir, config: {} as never, logger }, config);
  scheduler.start();
  await scheduler.stop();
  return said;
}

const MINIMAL = { apiKey: "sk-1", deploymentId: "laptop", projectId: "p" };

const WARNING = "upload.evry is no option and has no effect; did you mean upload.every?";

test("P96: the log of a start has each wrong name once, and uploads go on", async () => {
  await using lab = await Lab.start();
  const config = { ...MINIMAL, upload: { every: "0", evry: "1m" } };
  expect(await logOf(lab.stateDir, config)).toEqual([
    `influxion: ${WARNING}`,
    expect.stringContaining('upload.every is "0"'),
  ]);
});

test("P96: sync sends, and tells a wrong name beside its result", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const overrides = { upload: { evry: "1m" } };
  const { code, out, err } = await lab.sync({ overrides });
  expect(code).toBe(0);
  expect(lab.receivedSessions()).toEqual(["main/abc"]);
  expect(err).toContain(`Note: ${WARNING}\n`);
  expect(out).not.toContain("evry");
  for (const dryRun of [false, true]) {
    const { out } = await lab.sync({ overrides, dryRun, json: true });
    expect(JSON.parse(out).configWarnings).toEqual([
      { path: "upload.evry", nearest: ["upload.every"], message: WARNING },
    ]);
  }
});

test("P96: status has a wrong name among its notes and in its document", async () => {
  await using lab = await Lab.start();
  const overrides = { upload: { evry: "1m" } };
  const { code, out } = await lab.status({ overrides });
  expect(code).toBe(0);
  expect(out).toContain(`Notes\n  ${WARNING}\n`);
  const document = JSON.parse((await lab.status({ overrides, json: true })).out);
  expect(document).toMatchObject({ configured: true, configWarnings: [{ path: "upload.evry" }] });
});

const PROBLEM =
  "found a name that no option has at filter.agent; expected filter.agents; nothing is sent while it may have been meant to keep something here";

test("P97: with a wrong name that may keep something here, the Gateway starts and sends nothing", async () => {
  await using lab = await Lab.start();
  lab.session("scratch", "abc");
  const filter = { agent: { deny: ["scratch"] } };
  const upload = { every: "1s" };
  const config = { ...MINIMAL, apiUrl: lab.receiver.url, upload, filter };
  expect(await logOf(lab.stateDir, config)).toEqual([`influxion: uploads are off; ${PROBLEM}`]);
  expect(lab.receivedSessions()).toEqual([]);
});

test("P97: with such a name commands run, send nothing and say which it is", async () => {
  await using lab = await Lab.start();
  lab.session("scratch", "abc");
  const overrides = { filter: { agent: { deny: ["scratch"] } }, evry: 1 };
  const sync = await lab.sync({ overrides });
  expect([sync.code, sync.err]).toEqual([1, expect.stringContaining(`  ${PROBLEM}\n`)]);
  const status = await lab.status({ overrides });
  expect([status.code, status.out]).toEqual([1, expect.stringContaining(`  ${PROBLEM}\n`)]);
  expect(status.out).toContain(
    "  evry is no option and has no effect; did you mean upload.every?\n",
  );
  for (const { out } of [
    await lab.sync({ overrides, json: true }),
    await lab.status({ overrides, json: true }),
  ]) {
    expect(JSON.parse(out)).toMatchObject({
      configProblems: [{ path: "filter.agent" }],
      configWarnings: [{ path: "evry" }],
    });
  }
  expect(lab.receivedSessions()).toEqual([]);
});

test("an unconfigured Gateway says on one line what is missing, and which command asks for it", async () => {
  await using lab = await Lab.start();
  expect(await logOf(lab.stateDir, { projectId: "p" })).toEqual([
    'influxion: uploads are off; not set: apiKey, deploymentId; "openclaw influxion setup" asks for what is missing',
  ]);
});
