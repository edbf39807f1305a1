import { Database } from "../../receiver/postgres/database.ts";
import { prune } from "../../receiver/postgres/prune.ts";
import { count } from "../../shared/text.ts";
import { type Command, textOf } from "./command.ts";
import { withDatabase } from "./database.ts";
import { daysOf, storeOf, UsageError } from "./flags.ts";

export const migrateCommand: Command = {
  usage: "migrate",
  options: { store: { type: "string" } },
  async run({ flags, env, terminal }) {
    const url = storeOf(textOf(flags, "store"), env);
    if (url === undefined) throw new UsageError("migrate: expected --store");
    const database = await Database.open({ url });
    try {
      await database.prepare({ migrate: true });
    } finally {
      await database.close();
    }
    terminal.out.write("The tables are up to date\n");
    return 0;
  },
};

export const pruneCommand: Command = {
  usage: "prune --keep <days>",
  options: { store: { type: "string" }, keep: { type: "string" } },
  async run({ flags, env, terminal, signal }) {
    const keep = textOf(flags, "keep");
    if (keep === undefined) throw new UsageError("prune: expected --keep with days, e.g. 90d");
    const days = daysOf(keep);
    const lines = await withDatabase({ store: textOf(flags, "store") }, env, (database) =>
      prune(database, days, signal),
    );
    terminal.out.write(`Removed ${count(lines, "line")}\n`);
    return 0;
  },
};
