// The thread of a DatabaseThread; see database-thread.ts.
import { parentPort } from "node:worker_threads";
import { describeReadFailure } from "../../shared/problem.ts";
import type { Answer, FilteredClaims, Question } from "./database-thread.ts";
import { digestDatabase } from "./digest.ts";
import { readRegistry } from "./registry.ts";

if (parentPort === null) throw new Error("this module is the program of a worker thread");
const port = parentPort;

port.on("message", async (question: Question) => {
  const answer = await ask(question).then(
    (value): Answer => ({ kind: "answer", value }),
    (error): Answer => ({ kind: "failure", message: describeReadFailure(error).message }),
  );
  port.postMessage(answer);
});

async function ask(question: Question): Promise<unknown> {
  switch (question.kind) {
    case "registry":
      return await readRegistry(question.stateDir);
    case "excluded":
      return await excludedDatabases(question);
    case "digest":
      return await digestDatabase(question.path, question.needs);
  }
}

/** Loads what filters need, which most configs do not. */
async function excludedDatabases(options: FilteredClaims): Promise<string[]> {
  const { createFilter } = await import("../../config/filter.ts");
  const { filterGroups } = await import("../groups.ts");
  const { claims, agentsDir } = options;
  // When sessions began is not asked here.
  const filter = createFilter(options.filter, 0);
  const groups = await filterGroups(claims, agentsDir, filter);
  return groups
    .filter(({ excludedBy }) => excludedBy !== null)
    .flatMap(({ group }) => group.flatMap(({ databases }) => databases.map(({ real }) => real)));
}
