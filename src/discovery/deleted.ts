import { newestSent } from "../ledger/generations.ts";
import type { SessionRecord } from "../ledger/records.ts";
import type { TargetRecords } from "../ledger/target.ts";
import type { Agent } from "../stores/agents.ts";
import { type KnownSession, recordedSession } from "./select.ts";
import type { Survey } from "./survey.ts";

/**
 * The sessions that were sent, at least in part, and that OpenClaw has deleted since. It must say
 * so: one that is only missing, as on a disk that is not mounted, is none of them.
 */
export async function findDeleted(
  agents: readonly Agent[],
  { listed, live }: Pick<Survey, "listed" | "live">,
  target: TargetRecords,
): Promise<KnownSession[]> {
  const gone = Object.keys(target.sessions)
    .filter((key) => !live.has(key) && mayBeHeld(target.session(key)))
    .map(recordedSession);
  const deleted: KnownSession[] = [];
  for (const { agentId, stores } of agents) {
    const sessions = gone.filter((one) => one.agentId === agentId);
    // What could not be listed may be there.
    if (sessions.length === 0 || !listed.has(agentId)) continue;
    for (const store of stores) {
      // One that cannot say it now is asked in the next run.
      const times = (await store.deleted?.().catch(() => undefined)) ?? new Map<string, number>();
      deleted.push(
        ...sessions.filter(({ key, sessionId }) =>
          wasDeletedSince(target.session(key), times.get(sessionId)),
        ),
      );
    }
  }
  return [...new Map(deleted.map((one) => [one.key, one])).values()];
}

const mayBeHeld = (record: SessionRecord | undefined): boolean =>
  record !== undefined && record.forgottenAt === undefined && newestSent(record) >= 0;

/** One that was created again, and sent, after it had been deleted is not deleted by that. */
function wasDeletedSince(record: SessionRecord | undefined, at: number | undefined): boolean {
  return at !== undefined && at >= (record?.servedAt ?? 0);
}
