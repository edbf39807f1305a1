import { failingLine, stateNotes } from "../cli/state-notes.ts";
import type { Config } from "../config/config.ts";
import { describeSends } from "../run/first-contact.ts";
import type { Headline } from "../run/headline.ts";
import type { HistoryEntry } from "../run/history.ts";
import {
  type AgentState,
  type Counts,
  skippedOf,
  storeFailures,
  type UploadState,
} from "../run/state.ts";
import { bytes, count } from "../shared/text.ts";
import { chart } from "./chart.ts";
import { type Content, type Html, html, name } from "./html.ts";
import { ago } from "./time.ts";

/** Runs in the charts. */
const CHARTED = 40;

/** Agents, failing sessions and notes that are listed; the others are counted. */
const LISTED = 50;

export interface Overview {
  readonly config: Config;
  readonly state: UploadState;
  readonly headline: Headline;
  readonly history: readonly HistoryEntry[];
  readonly now: number;
}

export function overview({ config, state, headline, history, now }: Overview): Html {
  return html`
<p class="headline ${TONES[headline.kind] ?? "warn"}" role="status">${headline.text}</p>
<div class="columns">
${target(config)}
${uploads(config, state, now)}
${sessions(state, now)}
</div>
${trouble(state, now)}
${charts(history)}
${agents(state)}`;
}

/** Whether it is as it should be; what is not listed here deserves a look. */
const TONES: Readonly<Record<string, string>> = {
  "up-to-date": "good",
  uploading: "good",
  behind: "",
  off: "faint",
  paused: "faint",
  refused: "bad",
  failing: "bad",
};

function target(config: Config): Html {
  const { apiUrl, deploymentId, projectId, onDelete } = config;
  const deleted = onDelete === "forget" ? "deleted there, too" : "kept there";
  return html`<section aria-labelledby="target"><h2 id="target">Target</h2><dl>
<dt>API</dt><dd>${apiUrl}</dd>
<dt>Project</dt><dd>${name(projectId)}</dd>
<dt>Deployment</dt><dd>${name(deploymentId)}</dd>
<dt>Sends</dt><dd>${describeSends(config)}</dd>
<dt>If deleted</dt><dd>${deleted}</dd>
</dl></section>`;
}

function uploads({ everyMs, upload }: Config, state: UploadState, now: number): Html {
  const { lastRun, uploading } = state;
  const delivered = lastRun?.lastUpload;
  const next = lastRun?.nextAt;
  const isNext = everyMs > 0 && next !== undefined && Date.parse(next) > now;
  return html`<section aria-labelledby="uploads"><h2 id="uploads">Uploads</h2><dl>
<dt>Interval</dt><dd>${everyMs === 0 ? "off" : `every ${upload.every}`}</dd>
<dt>Last upload</dt><dd>${
    delivered === undefined
      ? "none yet"
      : html`${ago(Date.parse(delivered.at), now)}, ${count(delivered.lines, "line")} of ${count(delivered.sessions, "session")}`
  }</dd>
<dt>Last run</dt><dd>${lastRun === null ? "none yet" : html`${ago(Date.parse(lastRun.at), now)}, ${lastRun.report?.outcome ?? "failed"}`}</dd>
${isNext && html`<dt>Next run</dt><dd>${ago(Date.parse(next), now)}</dd>`}
<dt>Now</dt><dd>${uploading === null ? "idle" : "uploading"}</dd>
</dl></section>`;
}

function sessions({ counts, oldestPendingAt }: UploadState, now: number): Html {
  const skipped = skippedOf(counts);
  return html`<section aria-labelledby="sessions"><h2 id="sessions">Sessions</h2><dl>
<dt>Found</dt><dd>${counts.found}</dd>
<dt>Uploaded</dt><dd>${link("uploaded", counts.uploaded)}</dd>
<dt>Waiting</dt><dd>${link("pending", counts.pending)}${counts.pending > 0 && html`, ${bytes(counts.pendingBytes)}`}${
    oldestPendingAt !== null && html`, the oldest line from ${ago(oldestPendingAt, now)}`
  }</dd>
<dt>Excluded</dt><dd>${link("skipped", skipped)}${reasonsOf(counts)}</dd>
<dt>Failing</dt><dd class="${counts.failing > 0 ? "bad" : ""}">${link("failing", counts.failing)}</dd>
</dl></section>`;
}

function link(state: string, n: number): Content {
  return n === 0 ? "0" : html`<a href="sessions?state=${state}">${n}</a>`;
}

function reasonsOf({ skipped }: Counts): Content {
  const reasons = Object.entries(skipped).map(([filter, n]) => `${filter} ${n}`);
  return reasons.length > 0 && html` <span class="faint">(${reasons.join(", ")})</span>`;
}

/** What keeps sessions here, and what else deserves a look. */
function trouble(state: UploadState, now: number): Content {
  const failing = [
    ...storeFailures(state),
    ...state.failing.map((session) => failingLine(session, now)),
  ];
  return [list("Failing", failing), list("Notes", notes(state, now))];
}

function notes(state: UploadState, now: number): string[] {
  const lines = stateNotes(state, now);
  if (state.omittedLines > 0) lines.push(`${count(state.omittedLines, "line")} too long to send`);
  return lines;
}

function list(title: string, lines: readonly string[]): Content {
  if (lines.length === 0) return null;
  const id = title.toLowerCase();
  const more = lines.length - LISTED;
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2><ul class="items">
${lines.slice(0, LISTED).map((line) => html`<li>${line}</li>`)}
${more > 0 && html`<li class="faint">and ${more} more</li>`}
</ul></section>`;
}

function charts(history: readonly HistoryEntry[]): Html {
  const runs = history.slice(-CHARTED);
  const values = (key: "sessions" | "bytes" | "failed") => runs.map((run) => run[key]);
  const pictures =
    runs.length === 0
      ? html`<p class="faint">No run has sent anything yet.</p>`
      : html`<div class="charts">
${chart({ title: "Sessions", values: values("sessions"), format: String })}
${chart({ title: "Transcripts", values: values("bytes"), format: bytes })}
${chart({ title: "Failures", values: values("failed"), format: String, isBad: true })}
</div>`;
  return html`<section aria-labelledby="runs"><h2 id="runs">Last runs</h2>${pictures}
<p><a href="history">History in figures</a></p></section>`;
}

function agents({ agents: all }: UploadState): Html {
  const more = all.length - LISTED;
  return html`<section aria-labelledby="agents"><h2 id="agents">Agents</h2>
<div class="scroll" role="region" aria-label="Sessions of each agent" tabindex="0"><table>
<thead><tr><th scope="col">Agent</th><th scope="col" class="number">Uploaded</th><th scope="col" class="number">Waiting</th><th scope="col" class="number">Excluded</th><th scope="col" class="number">Failing</th></tr></thead>
<tbody>${all.slice(0, LISTED).map(agentRow)}</tbody></table></div>
${more > 0 && html`<p class="faint">and ${count(more, "more agent")}</p>`}</section>`;
}

function agentRow({ agentId, names, excludedBy, counts }: AgentState): Html {
  const others = names.filter((one) => one !== agentId);
  return html`<tr><th scope="row"><a href="sessions?agent=${encodeURIComponent(agentId)}">${name(agentId)}</a>${
    others.length > 0 && html` <span class="faint">${name(others.join(", "))}</span>`
  }${excludedBy !== null && html` <span class="faint">excluded by ${excludedBy}</span>`}</th>
<td class="number">${counts.uploaded}</td><td class="number">${counts.pending}</td><td class="number">${skippedOf(counts)}</td><td class="number">${counts.failing}</td></tr>`;
}
