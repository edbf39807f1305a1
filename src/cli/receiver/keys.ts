import { addKey, type KeySummary, listKeys, revokeKey } from "../../receiver/postgres/keys.ts";
import { plain } from "../../shared/text.ts";
import { type Call, type Command, textOf } from "./command.ts";
import { withDatabase } from "./database.ts";
import { UsageError } from "./flags.ts";

export const keysCommand: Command = {
  usage: `keys add --name <name> (--project <id>… | --all-projects)
keys list
keys revoke <id>`,
  options: {
    store: { type: "string" },
    name: { type: "string" },
    project: { type: "string", multiple: true },
    "all-projects": { type: "boolean" },
  },
  run: (call) => {
    const [action] = call.words;
    if (action === "add") return add(call);
    if (action === "list") return list(call);
    if (action === "revoke") return revoke(call);
    throw new UsageError("keys: expected add, list or revoke");
  },
};

async function add({ flags, env, terminal }: Call): Promise<number> {
  const name = textOf(flags, "name");
  if (!name) throw new UsageError("keys add: expected --name, which tells the key from others");
  const projects = projectsOf(flags);
  const key = await withDatabase({ store: textOf(flags, "store") }, env, (database) =>
    addKey(database, { name, projects }),
  );
  terminal.err.write("This is the key; it is shown once, and cannot be read from the store:\n");
  terminal.out.write(`${key}\n`);
  return 0;
}

function projectsOf(flags: Call["flags"]): readonly string[] | null {
  const projects = Array.isArray(flags.project) ? flags.project : [];
  const all = flags.allProjects === true;
  if (all !== projects.length > 0) return all ? null : projects;
  throw new UsageError("keys add: expected --project, once or more often, or --all-projects");
}

async function list({ flags, env, terminal }: Call): Promise<number> {
  const keys = await withDatabase({ store: textOf(flags, "store") }, env, listKeys);
  for (const key of keys) terminal.out.write(`${describe(key)}\n`);
  if (keys.length === 0) terminal.err.write("There are no keys; make one with keys add\n");
  return 0;
}

function describe({ id, name, projects, createdAt, revokedAt }: KeySummary): string {
  const scope = projects === null ? "all projects" : projects.map((one) => plain(one)).join(", ");
  const state = revokedAt === null ? "" : `, revoked ${revokedAt.toISOString()}`;
  return `${id}  ${plain(name)}: ${scope}, made ${createdAt.toISOString()}${state}`;
}

async function revoke({ flags, words, env, terminal }: Call): Promise<number> {
  const [, id] = words;
  if (!id) throw new UsageError("keys revoke: expected the id that keys list shows");
  const found = await withDatabase({ store: textOf(flags, "store") }, env, (database) =>
    revokeKey(database, id),
  );
  if (!found) throw new UsageError(`keys revoke: there is no key ${plain(id)}; see keys list`);
  terminal.out.write(`Revoked ${id}; receivers refuse it within two seconds\n`);
  return 0;
}
