import { expect, test } from "vitest";
import { kindsOfKey, openKindsOfKey } from "../../src/shared/session-kind.ts";

test.for([
  ["agent:main:main", []],
  ["agent:cron:main", []],
  ["agent:main:explicit:cron:x", []],
  ["agent:main:cronjobs", []],
  ["agent:main:subagents", []],
  ["agent:main:heartbeats", []],
  ["agent:main:my-group:x", []],
  ["agent:main:direct", []],
  ["agent:main:hook:gmail:1", []],
  ["agent:main:cron:9f72", ["cron"]],
  ["cron:9f72", ["cron"]],
  ["agent:main:agent:ops:cron:9f72", ["cron"]],
  ["agent:main:heartbeat", ["heartbeat"]],
  ["agent:main:main:heartbeat:heartbeat", ["heartbeat"]],
  ["agent:main:heartbeat-recovered-2026", ["heartbeat"]],
  ["agent:main:cron:9f72:run:1:subagent:a9", ["cron", "subagent"]],
  ["agent:main:discord:channel:1:heartbeat", ["heartbeat", "group"]],
  ["agent:main:discord:guild-1:channel-2", ["group"]],
  ["agent:main:Telegram:GROUP:-100", ["group"]],
  ["agent:main:dm:7", ["direct"]],
] as const)("P76: the key %j is of the kinds %j", ([key, kinds]) => {
  expect(kindsOfKey(key)).toEqual(kinds);
  expect(kindsOfKey(` ${key} `)).toEqual(kinds);
});

test.for([
  ["agent:main:main", ["direct"]],
  ["agent:main:explicit:my:name", ["direct"]],
  ["global", ["subagent", "group", "direct"]],
  ["agent:main:unknown", ["subagent", "group", "direct"]],
  ["agent:main:acp:0f8c", ["subagent", "group", "direct"]],
  ["agent:main:cron:9f72", []],
  ["agent:main:telegram:group:1", []],
] as const)("P76: the key %j alone leaves open whether it is of the kinds %j", ([key, kinds]) => {
  expect(openKindsOfKey(key)).toEqual(kinds);
});
