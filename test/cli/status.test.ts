import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { Lab } from "../support/lab.ts";
import { message } from "../support/transcripts.ts";

function databaseOf(lab: Lab, agentId: string): AgentDb {
  const agent = new AgentDb(lab.stateDir, { agentId });
  onTestFinished(() => agent.close());
  mkdirSync(agent.sessionsDir, { recursive: true });
  return agent;
}

/** Both files of the ledger, as a disk leaves them that has gone bad. */
function damageLedger(lab: Lab): void {
  for (const path of [lab.ledgerPaths.primary, lab.ledgerPaths.copy]) writeFileSync(path, "xx");
}

test("P6: status tells what happened to the ledger after runs that met nothing, for a week", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.sync();
  damageLedger(lab);
  await lab.serve();
  for (let runs = 0; runs < 2; runs++) await lab.serve();
  const { out } = await lab.status();
  expect(out).toMatch(/^ {2}\d+ s ago: the record of what has been uploaded was damaged/m);
  expect(out).toMatch(/^ {2}\d+ s ago: no good copy of it was found, so every session/m);
  lab.clockOffset = 8 * 24 * 3_600_000;
  await lab.sync();
  expect((await lab.status()).out).not.toContain("damaged");
});

test("P6: status tells that there is no second copy of the ledger for as long as that is so", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  await lab.sync();
  const { copy } = lab.ledgerPaths;
  rmSync(copy);
  mkdirSync(join(copy, "in the way"), { recursive: true });
  const refused = `the record of what has been uploaded cannot be read: ${copy} is a folder`;
  for (let runs = 0; runs < 2; runs++) {
    lab.append(path, [message(50 + runs)]);
    expect(await lab.run()).toMatchObject({ outcome: "done", sent: { lines: 1 } });
    const { out } = await lab.status();
    expect(out.split("no second copy: ")).toHaveLength(2);
    expect(out).toContain(`no second copy: ${refused}`);
  }
  expect(readFileSync(lab.ledgerPaths.primary, "utf8")).toContain("abc");
  rmSync(copy, { recursive: true });
  await lab.sync();
  expect((await lab.status()).out).not.toContain("no second copy");
});

test("P6: nothing is sent while the copy, which may be the only good one, cannot be read", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.run();
  const { primary, copy } = lab.ledgerPaths;
  rmSync(copy);
  mkdirSync(copy);
  writeFileSync(primary, "xx");
  await expect(lab.run()).rejects.toMatchObject({ code: "LEDGER_UNREADABLE" });
});

test("P6 P70: the Gateway's log tells what happened to the ledger, once for as long as it stays so", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.sync();
  damageLedger(lab);
  const told = await lab.serve();
  expect(told).toContainEqual(expect.stringMatching(/^influxion: the record .* was damaged/));
  expect(told).toContainEqual(expect.stringMatching(/^influxion: no good copy of it was found/));
  const { copy } = lab.ledgerPaths;
  rmSync(copy);
  mkdirSync(join(copy, "in the way"), { recursive: true });
  const said = await lab.serve({}, 3);
  expect(said.filter((line) => line.includes("no second copy"))).toHaveLength(1);
});

/** A disk of one megabyte under the state directory; null where this user may mount none. */
function mountSmallDisk(lab: Lab): Disposable | null {
  mkdirSync(lab.stateDir, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", lab.stateDir], {
      stdio: "ignore",
    });
  } catch {
    return null;
  }
  return { [Symbol.dispose]: () => execFileSync("umount", ["-l", lab.stateDir]) };
}

test("P70: of many sessions that begin anew at once, the Gateway's log names a few", async () => {
  await using lab = await Lab.start();
  const paths = ["a", "b", "c", "d", "e", "f", "g"].map((id) => lab.session("main", id));
  await lab.run();
  const ledger = readFileSync(lab.ledgerPaths.primary);
  for (const path of paths) lab.append(path, [message(50)]);
  await lab.run();
  for (const name of [lab.ledgerPaths.primary, lab.ledgerPaths.copy]) writeFileSync(name, ledger);
  for (const path of paths) lab.append(path, [message(51)]);
  const told = await lab.serve();
  expect(told.filter((line) => line.includes("all of it is sent again"))).toHaveLength(5);
  expect(told).toContainEqual(expect.stringMatching(/^influxion: and 2 more of these; see /));
});

test("P8 P71: status tells that the disk is full, of which no run could leave a note", async (context) => {
  await using lab = await Lab.start();
  using disk = mountSmallDisk(lab);
  context.skip(disk === null, "only root may mount a small disk, and only on Linux");
  const path = lab.session("main", "abc");
  await lab.sync();
  lab.append(path, [message(9)]);
  const fill = join(lab.stateDir, "fill");
  expect(() => writeFileSync(fill, Buffer.alloc(2_000_000))).toThrow("ENOSPC");
  expect((await lab.sync()).code).toBe(1);
  const { out } = await lab.status();
  expect(out).toContain("cannot be written because the disk is full; free some space");
  const { problems } = JSON.parse((await lab.status({ json: true })).out);
  expect(problems).toMatchObject([{ code: "LEDGER_UNWRITABLE", message: expect.any(String) }]);
  rmSync(fill);
  await lab.sync();
  expect((await lab.status()).out).not.toContain("disk is full");
});

test("P61: status names the stores that hold something of an agent, and says when none can be read", async () => {
  await using lab = await Lab.start();
  lab.session("files", "abc");
  const pure = databaseOf(lab, "pure");
  pure.addSession("live", conversation("live", 4));
  pure.addSession("cold", conversation("cold", 4));
  pure.addSession("gone", conversation("gone", 4));
  pure.moveToCold("cold");
  pure.deleteSession("gone");
  databaseOf(lab, "mixed").addSession("new", conversation("new", 4));
  lab.session("mixed", "old");
  mkdirSync(join(lab.stateDir, "agents", "fresh", "sessions"), { recursive: true });
  mkdirSync(join(lab.stateDir, "agents", "ops", "agent"), { recursive: true });
  mkdirSync(join(lab.stateDir, "agents", "ops", "sessions"));
  const damaged = join(lab.stateDir, "agents", "ops", "agent", "openclaw-agent.sqlite");
  writeFileSync(damaged, "x".repeat(5000));
  const { out } = await lab.status({ verbose: true });
  const named = [...out.matchAll(/^Agent (\S+) \((.*)\)$/gm)].map(([, id, stores]) => [id, stores]);
  expect(named).toEqual([
    ["files", "jsonl"],
    ["fresh", "jsonl"],
    ["mixed", "jsonl and sqlite"],
    ["ops", "no readable store"],
    ["pure", "sqlite"],
  ]);
});
