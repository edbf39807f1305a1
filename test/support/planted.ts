import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { examples } from "../redaction/secrets.ts";
import { AgentDb } from "./agent-db.ts";
import { API_KEY, type Lab } from "./lab.ts";
import { type Place, type Sentinel, sentinelOf } from "./sentinels.ts";
import { header, lines, message, session, sessionPath, write } from "./transcripts.ts";

/** Where a person looks who sits at this machine. */
const LOCAL: readonly Place[] = ["log", "command", "file"];

/** What must turn up nowhere at all, by what it is. */
const NOWHERE = {
  deniedAgent: sentinelOf("denied-agent-text"),
  deniedById: sentinelOf("denied-by-id-text"),
  deniedByKey: sentinelOf("denied-by-key-text"),
  deniedByLabel: sentinelOf("denied-by-label-text"),
  deniedId: sentinelOf("denied-id"),
  deniedKey: sentinelOf("denied-key"),
  deniedLabel: sentinelOf("denied-label"),
  otherKind: sentinelOf("cron-text"),
  before: sentinelOf("before-since-text"),
  incognito: sentinelOf("incognito-text"),
  deleted: sentinelOf("deleted-text"),
  trajectory: sentinelOf("trajectory-text"),
  backup: sentinelOf("backup-text"),
  noSession: sentinelOf("no-session-text"),
  unfinished: sentinelOf("unfinished-line"),
  damagedList: sentinelOf("damaged-list"),
  damagedEvent: sentinelOf("damaged-event"),
  damagedEntry: sentinelOf("damaged-entry"),
  damagedCold: sentinelOf("damaged-cold-archive"),
  hostConfig: sentinelOf("host-config"),
  ownFile: sentinelOf("other-file-of-the-host"),
  environment: sentinelOf("environment-variable"),
  value: sentinelOf("redact-value"),
  valueName: sentinelOf("redact-value-name").replaceAll("-", "_").toUpperCase(),
  pattern: sentinelOf("redact-pattern"),
  heldBack: sentinelOf("held-back-at-metadata"),
  toolOutput: sentinelOf("tool-output"),
} as const;

/** What a person said in a session that goes. */
export const SPOKEN = sentinelOf("spoken-text");

/** Of the proxy. */
export const PASSWORD = sentinelOf("proxy-password");

/** Part of the path of the state directory. */
export const PATH = sentinelOf("path");

/** Of sessions that go: people find them by it. */
const LABEL = sentinelOf("label-of-what-goes");

const DENIED_AGENT = sentinelOf("denied-agent");

/** One in twelve of what the rules of redaction find: all of it is the matter of P83. */
const SECRETS = examples(41).filter((_, index) => index % 12 === 0);

/** Everything that is planted, and where each may turn up. */
export const SENTINELS: readonly Sentinel[] = [
  ...Object.entries(NOWHERE).map(([what, value]) => ({ what, value, allowed: [] })),
  ...SECRETS.map(({ rule, secret }) => ({
    what: `a secret (${rule})`,
    value: secret,
    allowed: [],
  })),
  { what: "spoken text", value: SPOKEN, allowed: ["body"] },
  { what: "the API key", value: API_KEY, allowed: ["authorization"] },
  { what: "the proxy's password", value: PASSWORD, allowed: ["proxy-authorization"] },
  { what: "a path", value: PATH, allowed: LOCAL },
  { what: "a label", value: LABEL, allowed: ["command"] },
  // `status` counts the sessions of an agent that is excluded, by its name.
  { what: "the name of a denied agent", value: DENIED_AGENT, allowed: ["command"] },
];

/** The same for a run without filters on sessions: what these keep here may turn up anywhere. */
export const UNFILTERED: readonly Sentinel[] = SENTINELS.map((one) =>
  /^(denied(By|Id|Key|Label)|damaged|other|before|spoken)/.test(one.what)
    ? { ...one, allowed: ["head", "body", "log", "command", "file"] }
    : one,
);

/** The variables that {@link plant} needs to be set. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  INFLUXION_TEST_PRIVATE: NOWHERE.environment,
  [NOWHERE.valueName]: NOWHERE.value,
};

/** Options that keep here what is planted to stay. */
export const KEEPING = {
  redact: {
    values: [NOWHERE.valueName],
    patterns: [{ id: "ours", pattern: "sentinel-redact-pattern-q\\dx9w" }],
  },
  filter: {
    minMessages: 0,
    minBytes: 0,
    since: "2026-09-01",
    kinds: ["cron"],
    agents: {
      deny: [`${DENIED_AGENT}*`],
      content: { "reserved-*": "metadata", "toolless-*": "no-tool-output" },
    },
    sessions: { deny: [NOWHERE.deniedId, `*${NOWHERE.deniedKey}`, NOWHERE.deniedLabel] },
  },
} as const;

const says = (text: string): string[] => [message(0, text), message(1, text)];

/** What goes, with all in it that is redacted on the way. */
const spoken = (id: string): string[] => [
  header(id),
  ...says(SPOKEN),
  message(2, `${API_KEY} and ${NOWHERE.value} and ${NOWHERE.pattern}`),
  ...SECRETS.map(({ text }, index) => message(3 + index, text)),
];

const tool = (text: string): string[] => [
  JSON.stringify({
    type: "message",
    id: "call",
    message: {
      role: "assistant",
      content: [{ type: "toolCall", id: "t1", name: "exec", arguments: { command: "ls" } }],
    },
  }),
  JSON.stringify({
    type: "message",
    id: "result",
    message: {
      role: "toolResult",
      toolCallId: "t1",
      toolName: "exec",
      content: [{ type: "text", text }],
      details: { stdout: text, [text]: 1 },
    },
  }),
];

/** Everything of it is held back at `metadata`. */
const reserved = (id: string): string[] => [
  JSON.stringify({ ...JSON.parse(header(id)), cwd: `/home/${NOWHERE.heldBack}` }),
  ...says(NOWHERE.heldBack),
  ...tool(NOWHERE.heldBack),
  JSON.stringify({ type: "session_info", id: "i", name: NOWHERE.heldBack }),
  JSON.stringify({ type: "unknown", id: "n", [NOWHERE.heldBack]: NOWHERE.heldBack }),
];

const toolless = (id: string): string[] => [
  header(id),
  ...says(SPOKEN),
  ...tool(NOWHERE.toolOutput),
];

const containing = (id: string, text: string): string[] => [header(id), ...says(text)];

/** A session that began before `since`. */
const earlier = (id: string): string[] =>
  containing(id, NOWHERE.before).map((line) => line.replaceAll("2026-10-01", "2020-01-01"));

/** Plants all of it in both stores, and in what a host has beside them. */
export function plant(lab: Lab): void {
  plantFiles(lab);
  plantLookAlikes(lab);
  plantRows(lab);
  plantDamage(lab);
  plantHost(lab);
}

function plantFiles(lab: Lab): void {
  lab.session("main", "goes", spoken("goes"));
  lab.session("main", NOWHERE.deniedId, containing(NOWHERE.deniedId, NOWHERE.deniedById));
  lab.session("main", "by-key", containing("by-key", NOWHERE.deniedByKey));
  lab.session("main", "by-label", containing("by-label", NOWHERE.deniedByLabel));
  lab.session("main", "cron", containing("cron", NOWHERE.otherKind));
  lab.session("main", "before", earlier("before"));
  const rawLine = `raw ${NOWHERE.heldBack}`;
  lab.session("reserved-files", "metadata", [...reserved("metadata"), rawLine]);
  plantList(lab, "reserved-files", { main: { sessionId: "metadata" } });
  lab.session("toolless-files", "tools", toolless("tools"));
  plantList(lab, "toolless-files", { main: { sessionId: "tools" } });
  lab.session(`${DENIED_AGENT}-files`, "denied", containing("denied", NOWHERE.deniedAgent));
  plantList(lab, "main", {
    main: { sessionId: "goes", label: LABEL, displayName: LABEL },
    [NOWHERE.deniedKey]: { sessionId: "by-key" },
    labelled: { sessionId: "by-label", label: NOWHERE.deniedLabel },
    "cron:nightly": { sessionId: "cron" },
    before: { sessionId: "before" },
    unfinished: { sessionId: "unfinished" },
  });
}

/** What `sessions.json` has of an agent's sessions, by the last part of their keys. */
function plantList(lab: Lab, agentId: string, sessions: Record<string, object>): void {
  const entries = Object.entries(sessions).map(([rest, one]) => [`agent:${agentId}:${rest}`, one]);
  const list = JSON.stringify(Object.fromEntries(entries));
  write(sessionPath(lab.stateDir, agentId, "sessions.json"), list);
}

const UUID = "0b8f1c5e-3f4a-4d6b-9c7e-2a1b3c4d5e6f";

/** Names of what lies beside sessions and is none. */
const LOOK_ALIKES: Readonly<Record<string, readonly string[]>> = {
  [NOWHERE.trajectory]: [
    "goes.trajectory.jsonl",
    "goes.trajectory-path.json",
    `${UUID}.acp-stream.jsonl`,
    "goes.trajectory.jsonl.reset.2026-11-22T09-56-39.719Z",
  ],
  [NOWHERE.deleted]: [
    "goes.jsonl.deleted.2026-11-22T10-03-36.159Z",
    "goes.jsonl.deleted.2026-11-22T11-03-36.159Z.zst",
  ],
  [NOWHERE.backup]: [
    `goes.checkpoint.${UUID}.jsonl`,
    "goes.jsonl.corrupt-2026-10-02T04-00-00-000Z-0a1b2c3d.jsonl",
    `probe-openai-${UUID}.jsonl`,
    "goes.jsonl.bak",
    "goes.jsonl.bak.2026-11-22T09-56-12.098Z",
    "goes.jsonl.repair-1.tmp",
    "goes.compact.1.tmp",
    "goes.jsonl.lock",
    ".hidden.jsonl",
    "folder.jsonl/inner.jsonl",
  ],
};

function plantLookAlikes(lab: Lab): void {
  for (const [text, names] of Object.entries(LOOK_ALIKES)) {
    for (const name of names) {
      write(sessionPath(lab.stateDir, "main", name), lines(containing("goes", text)));
    }
  }
}

function plantRows(lab: Lab): void {
  const db = new AgentDb(lab.stateDir, { agentId: "rows" });
  const add = (
    id: string,
    entries: readonly string[],
    key = `agent:rows:${id}`,
    at = Date.parse("2026-11-01"),
  ): void => {
    db.addSession(id, entries, key, at);
    db.addNode(key, { sessionId: id });
  };
  add("goes-too", spoken("goes-too"));
  db.addNode("agent:rows:goes-too", { sessionId: "goes-too", label: LABEL });
  add(NOWHERE.deniedId, containing(NOWHERE.deniedId, NOWHERE.deniedById), "agent:rows:other");
  add("by-key", containing("by-key", NOWHERE.deniedByKey), `agent:rows:${NOWHERE.deniedKey}`);
  add("by-label", containing("by-label", NOWHERE.deniedByLabel));
  db.addNode("agent:rows:by-label", { sessionId: "by-label", label: NOWHERE.deniedLabel });
  add("cron", containing("cron", NOWHERE.otherKind), "agent:rows:cron:nightly");
  add("before", earlier("before"), undefined, Date.parse("2020-01-01"));
  add("secret", containing("secret", NOWHERE.incognito), "agent:rows:dashboard:incognito-1");
  add("gone", containing("gone", NOWHERE.deleted));
  db.deleteSession("gone");
  db.close();
  for (const [agentId, text] of [
    ["reserved-rows", reserved("metadata")],
    ["toolless-rows", toolless("tools")],
    [`${DENIED_AGENT}-rows`, containing("denied", NOWHERE.deniedAgent)],
  ] as const) {
    const other = new AgentDb(lab.stateDir, { agentId });
    other.addSession("only", text, `agent:${agentId}:main`);
    other.addNode(`agent:${agentId}:main`, { sessionId: "only" });
    other.close();
  }
}

/** What parsers stumble over, whose messages like to quote it. */
function plantDamage(lab: Lab): void {
  lab.session("damaged-list", "abc", containing("abc", NOWHERE.damagedList));
  const list = `{"agent:damaged-list:main": ${NOWHERE.damagedList}`;
  write(sessionPath(lab.stateDir, "damaged-list", "sessions.json"), list);
  write(sessionPath(lab.stateDir, "main", "notes.jsonl"), `${NOWHERE.noSession}\n`.repeat(100));
  const unfinished = sessionPath(lab.stateDir, "main", "unfinished.jsonl");
  write(unfinished, `${lines(containing("unfinished", SPOKEN))}{"type":"${NOWHERE.unfinished}`);
  const db = new AgentDb(lab.stateDir, { agentId: "damaged" });
  const key = (id: string): string => `agent:damaged:${id}`;
  db.addSession("event", [header("event"), ...says(SPOKEN)], key("event"));
  db.damage("event", 2, { event_json: `{"text": ${NOWHERE.damagedEvent}` });
  db.addSession("packed", session("packed", 40), key("packed"));
  const event_zstd = zstdCompressSync(`{"text": ${NOWHERE.damagedEvent}`);
  db.damage("packed", 2, { event_json: null, event_zstd, event_utf8_bytes: 9 });
  db.addSession("cold", containing("cold", NOWHERE.damagedCold), key("cold"));
  writeFileSync(db.moveToCold("cold"), NOWHERE.damagedCold.repeat(20));
  db.addSession("node", containing("node", NOWHERE.damagedEntry), key("node"));
  db.db
    .prepare("UPDATE session_nodes SET entry_json = ? WHERE session_key = ?")
    .run(`{"label": ${NOWHERE.damagedEntry}`, key("node"));
  db.close();
  const broken = join(lab.stateDir, "agents", "no-database", "agent");
  mkdirSync(broken, { recursive: true });
  writeFileSync(join(broken, "openclaw-agent.sqlite"), NOWHERE.damagedEvent.repeat(200));
}

function plantHost(lab: Lab): void {
  const config = { channels: { telegram: { botToken: NOWHERE.hostConfig } } };
  lab.hostConfig = { ...config, plugins: { entries: { other: { config } } } };
  write(join(lab.stateDir, "openclaw.json"), JSON.stringify(lab.hostConfig));
  write(join(lab.stateDir, ".env"), `PRIVATE=${NOWHERE.ownFile}\n`);
  const agentDir = join(lab.stateDir, "agents", "main", "agent");
  write(join(agentDir, "auth-profiles.json"), JSON.stringify({ key: NOWHERE.ownFile }));
  write(join(agentDir, "incognito-openclaw-agent.sqlite"), NOWHERE.incognito.repeat(200));
}
