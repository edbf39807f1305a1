import { createWriteStream } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { nameOf } from "../../receiver/names.ts";
import {
  type ExportedSession,
  type ExportFilter,
  exportSessions,
} from "../../receiver/postgres/export.ts";
import { count } from "../../shared/text.ts";
import { type Call, type Command, textOf } from "./command.ts";
import { withDatabase } from "./database.ts";
import { UsageError } from "./flags.ts";

export const exportCommand: Command = {
  usage: `export --out <folder or -> [--project <id>] [--deployment <id>] [--agent <id>]
       [--session <id>] [--since <ISO 8601>]`,
  options: {
    store: { type: "string" },
    out: { type: "string" },
    project: { type: "string" },
    deployment: { type: "string" },
    agent: { type: "string" },
    session: { type: "string" },
    since: { type: "string" },
  },
  async run({ flags, env, terminal, signal }) {
    const out = textOf(flags, "out");
    if (!out) throw new UsageError("export: expected --out with a folder, or - for the output");
    const filter = filterOf(flags);
    let sessions = 0;
    await withDatabase({ store: textOf(flags, "store") }, env, async (database) => {
      for await (const session of exportSessions(database, filter)) {
        if (out === "-") await toOutput(session, terminal.out, signal);
        else await toFile(session, out, signal);
        sessions++;
      }
    });
    terminal.err.write(`Exported ${count(sessions, "session")}\n`);
    return 0;
  },
};

function filterOf(flags: Call["flags"]): ExportFilter {
  const since = textOf(flags, "since");
  const date = since === undefined ? undefined : new Date(since);
  if (date !== undefined && Number.isNaN(date.getTime())) {
    throw new UsageError("--since: expected an instant in ISO 8601, e.g. 2026-01-31T00:00:00Z");
  }
  return {
    projectId: textOf(flags, "project"),
    deploymentId: textOf(flags, "deployment"),
    agentId: textOf(flags, "agent"),
    sessionId: textOf(flags, "session"),
    since: date,
  };
}

/** A file for each session, with what OpenClaw wrote: one entry a line. */
async function toFile(session: ExportedSession, dir: string, signal: AbortSignal): Promise<void> {
  const { projectId, deploymentId, agentId, sessionId } = session;
  const folders = [projectId, deploymentId, agentId].map(nameOf);
  const path = join(dir, ...folders, `${nameOf(sessionId)}.jsonl`);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.unfinished`;
  const file = createWriteStream(unfinished, { mode: 0o600 });
  await pipeline(Readable.from(payloadsOf(session)), file, { signal });
  await rename(unfinished, path);
}

async function* payloadsOf({ lines }: ExportedSession): AsyncGenerator<string> {
  for await (const { payload } of lines) yield `${payload}\n`;
}

/** All sessions one after another, so each line says whose it is; the payload is last, as it came. */
async function toOutput(
  session: ExportedSession,
  out: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<void> {
  await pipeline(Readable.from(envelopesOf(session)), out, { signal, end: false });
}

async function* envelopesOf({ lines, ...ids }: ExportedSession): AsyncGenerator<string> {
  const head = JSON.stringify(ids).slice(0, -1);
  for await (const { generation, lineIndex, payload } of lines) {
    yield `${head},"generation":${generation},"lineIndex":${lineIndex},"payload":${payload}}\n`;
  }
}
