import { createFilter, type Filter, isNamed } from "../config/filter.ts";
import { namesOf } from "../discovery/examine.ts";
import type { FoundStream } from "../discovery/scan-streams.ts";
import { listAgent } from "../discovery/survey.ts";
import { Ledger } from "../ledger/ledger.ts";
import { sessionKey } from "../ledger/session-key.ts";
import { describeReadFailure, type Problem } from "../shared/problem.ts";
import { type Agent, findAgents } from "../stores/agents.ts";
import { createTransforms, type Transform } from "../upload/transform.ts";
import type { RunInput, RunOptions } from "./options.ts";
import type { SessionNote } from "./report.ts";
import { type FoundAt, searchStream } from "./search-stream.ts";
import { SentLines } from "./sent-lines.ts";

export interface FindSecretsOptions
  extends Pick<RunInput, "stateDir" | "layout" | "config" | "apiKey" | "redactValues" | "agentId">,
    Pick<RunOptions, "now" | "signal"> {
  /** Also what filters exclude. */
  readonly all: boolean;
  readonly onFinding: (finding: Finding) => Promise<void>;
  /** Notified of each session that is begun, and how many bytes were read before. */
  readonly onSession: (name: Pick<Finding, "agentId" | "sessionId">, bytes: number) => void;
}

/** A credential in a transcript, and where. */
export interface Finding extends FoundAt {
  readonly agentId: string;
  readonly sessionId: string;
  /** Which of the streams of the session. */
  readonly source: string;
}

export interface SearchReport {
  /** What was read. */
  readonly sessions: number;
  readonly lines: number;
  /** Credentials, by rule. */
  readonly rules: Readonly<Record<string, number>>;
  readonly sessionsWithFindings: number;
  /** Credentials in lines that were sent to the destination of the config, or may have been. */
  readonly sent: number;
  readonly perhapsSent: number;
  /** Lines that are too long, or took too long, to be searched. */
  readonly unsearched: number;
  /** What filters exclude, which was not read; the sessions of agents are not counted. */
  readonly excluded: { readonly agents: number; readonly sessions: number };
  readonly failures: readonly SessionNote[];
  readonly problems: readonly Problem[];
}

/**
 * Looks for credentials in all transcripts there are, from their beginnings, whatever was sent of
 * them. Touches neither network, ledger nor lock.
 *
 * @throws {InfluxionError} `REDACT_INVALID`
 * @throws the signal's reason
 */
export async function findSecrets(options: FindSecretsOptions): Promise<SearchReport> {
  const { stateDir, config, now, all } = options;
  const { apiKey, redactValues = [] } = options;
  const ledger = await Ledger.open({ stateDir, now, readOnly: true });
  const filter = createFilter(config.filter, ledger.firstRunAt ?? now());
  // What is there is looked at as it is, whatever the content level would leave of it.
  const everything = { ...config, content: { level: "full", images: true } } as const;
  const transformOf = createTransforms({
    config: everything,
    filter,
    values: redactValues,
    apiKey,
    identitySecret: ledger.secret,
  });
  const { redactor } = transformOf([], namesOf("", []));
  const sent = new SentLines(ledger, ledger.target(config));
  const look = { ...options, filter, countExcluded: all, knownBytes: () => 0 };
  await using found = await findAgents(look);
  const search = new Search(options, { filter, redactor, sent });
  search.failed(found.failures);
  search.problems.push(...ledger.problems);
  for (const agent of found.agents) await search.agent(agent);
  return search.report();
}

interface SearchContext {
  readonly filter: Filter;
  readonly redactor: Transform["redactor"];
  readonly sent: SentLines;
}

class Search {
  readonly problems: Problem[] = [];
  readonly #options: FindSecretsOptions;
  readonly #context: SearchContext;
  readonly #failures: SessionNote[] = [];
  readonly #rules: Record<string, number> = {};
  readonly #excluded = { agents: 0, sessions: 0 };
  readonly #sums = { sessions: 0, lines: 0, sent: 0, perhapsSent: 0, unsearched: 0 };
  #sessionsWithFindings = 0;
  #bytes = 0;

  constructor(options: FindSecretsOptions, context: SearchContext) {
    this.#options = options;
    this.#context = context;
  }

  async agent(agent: Agent): Promise<void> {
    const { agentId, all, signal } = this.#options;
    if (agentId !== undefined && !isNamed(agent.names, agentId)) return;
    if (agent.excludedBy !== null && !all) {
      this.#excluded.agents++;
      return;
    }
    const listing = await listAgent(agent, signal);
    this.problems.push(...listing.problems);
    this.failed(listing.failures);
    for (const [sessionId, streams] of listing.sessions) {
      const verdict = this.#context.filter.byName(agent.names, namesOf(sessionId, streams));
      if (all || verdict.kind === "passes") await this.#session(agent.agentId, sessionId, streams);
      else this.#excluded.sessions++;
    }
  }

  failed(failures: readonly Problem[]): void {
    for (const { agentId = "", message } of failures) {
      this.#failures.push({ agentId, sessionId: "", reason: message });
    }
  }

  report(): SearchReport {
    return {
      ...this.#sums,
      rules: this.#rules,
      sessionsWithFindings: this.#sessionsWithFindings,
      excluded: this.#excluded,
      failures: this.#failures,
      problems: this.problems,
    };
  }

  async #session(
    agentId: string,
    sessionId: string,
    streams: readonly FoundStream[],
  ): Promise<void> {
    this.#options.onSession({ agentId, sessionId }, this.#bytes);
    const before = this.#found;
    const inOrder = streams.toSorted((a, b) => (a.stream.rank < b.stream.rank ? -1 : 1));
    for (const found of inOrder) {
      try {
        await this.#stream(found, streams);
      } catch (error) {
        this.#options.signal.throwIfAborted();
        const reason = describeReadFailure(error).message;
        this.#failures.push({ agentId, sessionId, reason });
      }
      this.#bytes += found.stream.bytes;
    }
    this.#sums.sessions++;
    if (this.#found > before) this.#sessionsWithFindings++;
  }

  get #found(): number {
    return Object.values(this.#rules).reduce((sum, n) => sum + n, 0);
  }

  async #stream(found: FoundStream, streams: readonly FoundStream[]): Promise<void> {
    const { redactor, sent } = this.#context;
    const { signal, onFinding } = this.#options;
    const { agentId, sessionId, source } = found.stream;
    const reader = await found.store.open(found.stream, signal);
    try {
      const key = sessionKey(agentId, sessionId);
      const wasSent = await sent.of(key, found, streams, reader, signal);
      const search = searchStream(reader, { redactor, wasSent, signal });
      for (let step = await search.next(); ; step = await search.next()) {
        if (step.done === true) {
          this.#sums.lines += step.value.lines;
          this.#sums.unsearched += step.value.unsearched;
          return;
        }
        this.#count(step.value);
        await onFinding({ agentId, sessionId, source, ...step.value });
      }
    } finally {
      await reader.close();
    }
  }

  #count({ rule, sent }: FoundAt): void {
    this.#rules[rule] = (this.#rules[rule] ?? 0) + 1;
    if (sent === true) this.#sums.sent++;
    if (sent === null) this.#sums.perhapsSent++;
  }
}
