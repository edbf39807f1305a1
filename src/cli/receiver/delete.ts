import {
  ALL_GENERATIONS,
  allowScope,
  deleteScope,
  type StoreScope,
} from "../../receiver/postgres/delete.ts";
import { count } from "../../shared/text.ts";
import { type Call, type Command, textOf } from "./command.ts";
import { withDatabase } from "./database.ts";
import { UsageError } from "./flags.ts";

const SCOPE = "--project <id> --deployment <id> [--agent <id>] [--session <id>]";

const OPTIONS = {
  store: { type: "string" },
  project: { type: "string" },
  deployment: { type: "string" },
  agent: { type: "string" },
  session: { type: "string" },
} as const;

export const deleteCommand: Command = {
  usage: `delete ${SCOPE}`,
  options: OPTIONS,
  async run({ flags, env, terminal }) {
    const scope = scopeOf(flags);
    const { deleted } = await withDatabase({ store: textOf(flags, "store") }, env, (database) =>
      deleteScope(database, { ...scope, through: ALL_GENERATIONS }),
    );
    terminal.out.write(
      `Deleted ${count(deleted, "session")}. What comes again is refused; allow lifts that\n`,
    );
    return 0;
  },
};

export const allowCommand: Command = {
  usage: `allow ${SCOPE}`,
  options: OPTIONS,
  async run({ flags, env, terminal }) {
    const scope = scopeOf(flags);
    const found = await withDatabase({ store: textOf(flags, "store") }, env, (database) =>
      allowScope(database, scope),
    );
    if (!found) throw new UsageError("allow: nothing was deleted with just these flags");
    terminal.out.write("What was deleted is taken again when it comes\n");
    return 0;
  },
};

function scopeOf(flags: Call["flags"]): StoreScope {
  const projectId = textOf(flags, "project");
  const deploymentId = textOf(flags, "deployment");
  if (!projectId || !deploymentId) {
    throw new UsageError("expected --project and --deployment, and for less --agent or --session");
  }
  const agentId = textOf(flags, "agent");
  const sessionId = textOf(flags, "session");
  // A script's empty variable must not widen what is deleted.
  if (agentId === "") throw new UsageError("--agent: expected an id");
  if (sessionId === "") throw new UsageError("--session: expected an id");
  return { projectId, deploymentId, agentId, sessionId };
}
