import type { PlannedSession } from "../parts.ts";
import { dryRun } from "../run.ts";
import { bytes, count, plain } from "../text.ts";
import { EXIT } from "./exit.ts";
import { type Terminal, writeJson } from "./terminal.ts";

/** `openclaw influxion sync --dry-run`: what would be sent now. Returns the exit code. */
export async function showPlan(
  terminal: Terminal,
  json: boolean,
  options: Parameters<typeof dryRun>[0],
): Promise<number> {
  const { plan, survey } = await dryRun(options);
  const total = plan.reduce((sum, session) => sum + session.bytes, 0);
  const waiting = survey.sessions.filter((session) => session.state.kind === "pending").length;
  if (json) {
    writeJson(terminal, { dryRun: true, sessions: plan.map(toJson), totalBytes: total, waiting });
    return EXIT.done;
  }
  const { out } = terminal;
  for (const { session, streams, bytes: size } of plan) {
    const parts = streams.reduce((sum, { record }) => sum + (record.parts?.length ?? 0), 0);
    const from = streams[0]?.record.position.lines ?? 0;
    const name = plain(`${session.agentId}/${session.sessionId}`);
    const start = from === 0 ? "from its beginning" : `from line ${from}`;
    out.write(`  ${name}  ${bytes(size)} ${start}, ${count(parts, "part")}\n`);
  }
  out.write(
    `This run would send ${count(plan.length, "session")}, ${bytes(total)} before compression. Nothing was sent.\n`,
  );
  const later = waiting - plan.length;
  if (later > 0) out.write(`${count(later, "more session")} would wait for the next runs.\n`);
  return EXIT.done;
}

function toJson({ session, streams, bytes: size }: PlannedSession): unknown {
  const { agentId, sessionId } = session;
  return {
    agentId,
    sessionId,
    bytes: size,
    parts: streams.flatMap(({ stream, store, record }) => {
      let from = record.position.offset;
      return (record.parts ?? []).map((part) => {
        const range = {
          store: store.kind,
          source: stream.source,
          from,
          end: part.end,
          bytes: part.bytes,
        };
        from = part.end;
        return range;
      });
    }),
  };
}
