import { type ConfigProblem, readConfig, type SecretRef } from "../../config/config.ts";
import { asObject } from "../../shared/json.ts";
import { InfluxionError } from "../../shared/problem.ts";
import { plain } from "../../shared/text.ts";
import { maskKey } from "../status-format.ts";
import type { Terminal } from "../terminal.ts";
import { hang, widthOf } from "../wrap.ts";
import { applyChange } from "./change.ts";
import { defaultDeployment } from "./deployment.ts";
import { KEY_VARIABLE, type KeyFlags, keyOfAnswer, keyOfFlags, variable } from "./key.ts";
import type { Prompter } from "./prompter.ts";

/** What `setup` asks for, each as a flag as well. */
export interface AnswerFlags extends KeyFlags {
  readonly project?: string;
  readonly deployment?: string;
  readonly apiUrl?: string;
  readonly every?: string;
  /** Asks for `apiUrl`, too. */
  readonly advanced?: boolean;
}

export interface AnswerOptions {
  readonly flags: AnswerFlags;
  /** The plugin's options as they are. */
  readonly present: unknown;
  /** Null where nobody can be asked. */
  readonly prompter: Prompter | null;
  readonly readInput: () => Promise<string>;
  readonly env: NodeJS.ProcessEnv;
  readonly terminal: Pick<Terminal, "err">;
}

/** A question for one option, by its path. */
interface Question {
  readonly path: "projectId" | "deploymentId" | "apiUrl";
  readonly text: string;
  readonly flag: string | undefined;
  readonly fallback: string | undefined;
}

/**
 * The options as the user wants them: what flags say, what is there, and what is answered.
 * @throws {InfluxionError} `SETUP_INCOMPLETE` for what is missing where nobody can be asked
 */
export async function collectAnswers(options: AnswerOptions): Promise<Map<string, unknown>> {
  const { flags, present } = options;
  const set = new Map<string, unknown>();
  const key = await keyOfFlags(flags, options.readInput);
  for (const question of questionsOf(options)) {
    const answer = question.flag ?? (await askFor(question, options));
    if (answer !== undefined) set.set(question.path, checked(question.path, answer, present));
  }
  const asked = key ?? (await askForKey(options));
  if (asked !== undefined) set.set("apiKey", asked);
  if (flags.every !== undefined)
    set.set("upload.every", checked("upload.every", flags.every, present));
  const missing = missingFlags(applyChange(present, { set, remove: [] }));
  if (missing.length === 0) return set;
  throw new InfluxionError(
    "SETUP_INCOMPLETE",
    `nobody is asked, since there is no terminal or --yes was given; give ${missing.join(" and ")}`,
  );
}

function questionsOf({ flags, present }: AnswerOptions): Question[] {
  const project: Question = {
    path: "projectId",
    text: "Project id, as Influxion shows it",
    flag: flags.project,
    fallback: valid("projectId", present),
  };
  const deployment: Question = {
    path: "deploymentId",
    text: "Name of this machine or setup",
    flag: flags.deployment,
    fallback: valid("deploymentId", present) ?? defaultDeployment(),
  };
  const isWrong = asObject(present).apiUrl !== undefined && valid("apiUrl", present) === undefined;
  if (flags.apiUrl === undefined && flags.advanced !== true && !isWrong) {
    return [project, deployment];
  }
  const url: Question = {
    path: "apiUrl",
    text: "Address of the API",
    flag: flags.apiUrl,
    fallback: valid("apiUrl", present) ?? "https://api.influxion.io",
  };
  return [project, deployment, url];
}

/** Asks until the answer is one; an empty one is the fallback. Undefined where nothing is to be changed. */
async function askFor(
  { path, text, fallback }: Question,
  { prompter, terminal, present }: AnswerOptions,
): Promise<string | undefined> {
  const isThere = asObject(present)[path] === fallback;
  if (prompter === null) return isThere || path === "apiUrl" ? undefined : fallback;
  for (;;) {
    const shown = fallback === undefined ? "" : ` [${plain(fallback)}]`;
    const answer = (await prompter.ask(`${text}${shown}: `)) || fallback || "";
    const problem = problemWith(path, answer, present);
    if (problem === null) return answer === fallback && isThere ? undefined : answer;
    const expected = plain(`Expected ${problem.expected}.`);
    terminal.err.write(`${hang("  ", expected, widthOf(terminal.err))}\n`);
  }
}

/** Undefined where it is kept, or where nobody can be asked. */
async function askForKey({
  prompter,
  present,
  env,
  terminal,
}: AnswerOptions): Promise<string | SecretRef | undefined> {
  if (prompter === null) return undefined;
  const { apiKey } = asObject(present);
  const isKept = apiKey !== undefined && problemWith("apiKey", apiKey, present) === null;
  const isOffered = !isKept && (env[KEY_VARIABLE] ?? "") !== "";
  const fallback = isKept
    ? maskKey(apiKey as string | SecretRef)
    : isOffered
      ? `$${KEY_VARIABLE}`
      : "";
  const shown = fallback === "" ? "" : ` [${plain(fallback)}]`;
  for (;;) {
    const answer = await prompter.askSecret(`API key, hidden; or $NAME of a variable${shown}: `);
    if (answer === "" && isKept) return undefined;
    if (answer === "" && isOffered) return variable(KEY_VARIABLE);
    const key = keyOfAnswer(answer);
    if (key !== null) return key;
    terminal.err.write("  Expected the key as one text without spaces, or $NAME.\n");
  }
}

/** What is wrong with the value of one option, whatever the others are; null when nothing is. */
function problemWith(path: string, value: unknown, present: unknown): ConfigProblem | null {
  const allowInsecureHttp = asObject(present).allowInsecureHttp === true;
  const good = { apiKey: "key", deploymentId: "d", projectId: "p", allowInsecureHttp };
  const result = readConfig(applyChange(good, { set: new Map([[path, value]]), remove: [] }));
  return result.ok ? null : (result.problems[0] ?? null);
}

function valid(path: string, present: unknown): string | undefined {
  const value = asObject(present)[path];
  const isGood = typeof value === "string" && problemWith(path, value, present) === null;
  return isGood ? value : undefined;
}

/** @throws {InfluxionError} `SETUP_INCOMPLETE` */
function checked(path: string, value: string, present: unknown): string {
  const problem = problemWith(path, value, present);
  if (problem === null) return value.trim();
  const message = `found ${problem.found} for ${path}; expected ${problem.expected}`;
  throw new InfluxionError("SETUP_INCOMPLETE", message);
}

/** Flags for what a config lacks, without which nothing can be uploaded. */
function missingFlags({ projectId, apiKey }: Record<string, unknown>): string[] {
  return [
    ...(projectId === undefined ? ["--project <id>"] : []),
    ...(apiKey === undefined ? ["--api-key-stdin (or --api-key-env <name>)"] : []),
  ];
}
