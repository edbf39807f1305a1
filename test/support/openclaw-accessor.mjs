// Run in the environment of a host, with the path of its script and some `<agentId>/<sessionId>`:
// prints what the host's own accessor for plugins gives, as one JSON document. The accessor parses
// what the host has serialised, so serialising it again gives the text that the host wrote.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [entry, ...sessions] = process.argv.slice(2);
const accessor = createRequire(entry).resolve("openclaw/plugin-sdk/session-store-runtime");
const { listSessionEntries, loadTranscriptEventsSync } = await import(pathToFileURL(accessor));

const split = sessions.map((session) => session.split("/"));
const agentIds = [...new Set(split.map(([agentId]) => agentId))];
const listed = agentIds.flatMap((agentId) =>
  listSessionEntries({ agentId }).map(({ entry }) => `${agentId}/${entry.sessionId}`),
);
const events = Object.fromEntries(
  split.map(([agentId, sessionId]) => [
    `${agentId}/${sessionId}`,
    loadTranscriptEventsSync({ agentId, sessionId }).map((event) => JSON.stringify(event)),
  ]),
);
process.stdout.write(JSON.stringify({ listed, events }));
