import { type Behaviour, type FaultServer, startFaultServer } from "./fault-server.ts";

/** Answers deletions in this order, those after the last like that one, and takes every part. */
export function startDeletingServer(
  ...answers: readonly [Behaviour, ...Behaviour[]]
): Promise<FaultServer> {
  let asked = 0;
  return startFaultServer({
    script: ({ method }) => {
      if (method !== "DELETE") return undefined;
      return answers[Math.min(asked++, answers.length - 1)];
    },
  });
}

/** As an API confirms a deletion. */
export function confirmed(deleted: number, more: object = {}): Behaviour {
  return {
    kind: "status",
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ deleted, ...more }),
  };
}

/** What the API was asked to delete, in order. */
export function deletionsOf({ requests }: FaultServer): Record<string, string>[] {
  return requests
    .filter(({ method }) => method === "DELETE")
    .map(({ path }) => Object.fromEntries(new URL(path, "http://api").searchParams));
}
