import { addCheck } from "./commands/check.ts";
import type { AddCommand, CommandContext, Program } from "./commands/context.ts";
import { addForget } from "./commands/forget.ts";
import { addHistory } from "./commands/history.ts";
import { addPause } from "./commands/pause.ts";
import { addPreview } from "./commands/preview.ts";
import { addReceive } from "./commands/receive.ts";
import { addResume } from "./commands/resume.ts";
import { addScan } from "./commands/scan.ts";
import { addSessions } from "./commands/sessions.ts";
import { addSetup } from "./commands/setup.ts";
import { addStatus } from "./commands/status.ts";
import { addSync } from "./commands/sync.ts";

/** In the order of the help. */
const COMMANDS: readonly AddCommand[] = [
  addSetup,
  addCheck,
  addStatus,
  addSessions,
  addHistory,
  addSync,
  addPreview,
  addScan,
  addForget,
  addPause,
  addResume,
  addReceive,
];

/** Adds `openclaw influxion …`. The commands' own code is loaded when one of them runs. */
export function addCommands(program: Program, context: CommandContext): void {
  const influxion = program
    .command("influxion")
    .description("Upload session transcripts to Influxion, and see what has been uploaded")
    .addHelpText(
      "after",
      `
Examples:
  openclaw influxion setup             set it up, or change that
  openclaw influxion check             whether this installation can deliver
  openclaw influxion status            what is uploaded, waiting, skipped and failing
  openclaw influxion sessions          every session with its state and why
  openclaw influxion history           what the last runs did
  openclaw influxion sync --dry-run    what would be sent, without sending it
  openclaw influxion preview           the very lines that would be sent
  openclaw influxion scan              credentials in transcripts, sent or not
  openclaw influxion sync --all        send everything now
  openclaw influxion forget --session <name> --remote
                                       never send it again, and delete what was sent
  openclaw influxion pause --for 2h    send nothing for a while
  openclaw influxion receive           try it without an API key, on this machine
`,
    );

  for (const add of COMMANDS) add(influxion, context);
}
