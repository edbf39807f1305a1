import type { SessionEntry } from "../run/session-states.ts";
import { bytes, count } from "../shared/text.ts";
import { type Content, Html, html, name } from "./html.ts";
import { ago } from "./time.ts";

/** Sessions on one page. */
const PAGE_SIZE = 50;

const STATES = ["pending", "failing", "skipped", "uploaded"] as const;
export type StateName = (typeof STATES)[number];

const TITLES: Readonly<Record<StateName, string>> = {
  pending: "Waiting",
  failing: "Failing",
  skipped: "Excluded",
  uploaded: "Uploaded",
};

const TONE: Readonly<Record<StateName, string>> = {
  pending: "warn",
  failing: "bad",
  skipped: "faint",
  uploaded: "good",
};

/** A session as the list shows it. */
export type SessionRow = Pick<
  SessionEntry,
  "key" | "agentId" | "sessionKey" | "label" | "title" | "changedAt" | "bytes" | "reason"
> & { readonly state: { readonly kind: StateName } };

/** Which of them are shown. */
export interface SessionQuery {
  readonly state: StateName | null;
  readonly agentId: string | null;
  /** From 1. */
  readonly page: number;
}

/** What an address asks for; anything else in it is as if it was not there. */
export function sessionQueryOf(query: URLSearchParams): SessionQuery {
  const page = Number(query.get("page"));
  return {
    state: STATES.find((state) => state === query.get("state")) ?? null,
    agentId: query.get("agent"),
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  };
}

export function sessionsPage(all: readonly SessionRow[], query: SessionQuery, now: number): Html {
  const ofAgent = all.filter(({ agentId }) => agentId === (query.agentId ?? agentId));
  const shown = ofAgent.filter(({ state }) => state.kind === (query.state ?? state.kind));
  const pages = Math.max(1, Math.ceil(shown.length / PAGE_SIZE));
  const page = Math.min(query.page, pages);
  const start = (page - 1) * PAGE_SIZE;
  const rows = shown.slice(start, start + PAGE_SIZE);
  return html`<section aria-labelledby="list"><h2 id="list">${titleOf(query)}</h2>
<nav aria-label="State"><ul>${stateLinks(ofAgent, query)}</ul></nav>
${query.agentId !== null && html`<p><a href="${address({ ...query, agentId: null, page: 1 })}">Show all agents</a></p>`}
<p class="faint">${rangeOf(start, rows.length, shown.length)}</p>
<ul class="items">${rows.map((row) => item(row, now))}</ul>
${pager(query, page, pages)}</section>`;
}

function titleOf({ state, agentId }: SessionQuery): Content {
  const what = state === null ? "All sessions" : `${TITLES[state]} sessions`;
  return agentId === null ? what : html`${what} of ${name(agentId)}`;
}

function stateLinks(all: readonly SessionRow[], query: SessionQuery): Content {
  const link = (state: StateName | null, label: string, n: number): Html => {
    const current = state === query.state ? new Html(' aria-current="true"') : null;
    return html`<li><a href="${address({ ...query, state, page: 1 })}"${current}>${label} (${n})</a></li>`;
  };
  return [
    link(null, "All", all.length),
    ...STATES.map((state) =>
      link(state, TITLES[state], all.filter((row) => row.state.kind === state).length),
    ),
  ];
}

function rangeOf(start: number, shown: number, all: number): string {
  if (all === 0) return "None.";
  if (shown === all) return `${count(all, "session")}.`;
  return `${start + 1} to ${start + shown} of ${count(all, "session")}.`;
}

function item(row: SessionRow, now: number): Html {
  const { key, changedAt, reason, state } = row;
  const names = [row.label, row.title, row.sessionKey, key].filter((one) => one !== null);
  const [title = key, ...others] = new Set(names);
  const facts: Content[] = [
    ...others.map((other) => html`<code>${name(other)}</code>`),
    ago(changedAt, now),
    bytes(row.bytes),
  ];
  return html`<li><div class="title">${name(title)}</div>
<div class="faint">${facts.map((fact, index) => html`${index > 0 && " · "}${fact}`)}</div>
<div><span class="${TONE[state.kind]}">${TITLES[state.kind]}</span>${reason !== "" && html`: ${reason}`}${
    isToSend(state.kind) && html` · ${previewLink(key, title)}`
  }</div></li>`;
}

const isToSend = (state: StateName): boolean => state === "pending" || state === "failing";

/** Links that read the same are told apart by what is hidden in them. */
function previewLink(key: string, title: string): Html {
  return html`<a href="preview?session=${encodeURIComponent(key)}">Preview<span class="hidden"> of ${name(title)}</span></a>`;
}

function pager(query: SessionQuery, page: number, pages: number): Content {
  if (pages === 1) return null;
  const to = (target: number, label: string): Content =>
    target >= 1 &&
    target <= pages &&
    html`<li><a href="${address({ ...query, page: target })}">${label}</a></li>`;
  return html`<nav aria-label="Pages"><ul>${to(page - 1, "Previous")}<li>Page ${page} of ${pages}</li>${to(page + 1, "Next")}</ul></nav>`;
}

function address({ state, agentId, page }: SessionQuery): string {
  const query = new URLSearchParams();
  if (state !== null) query.set("state", state);
  if (agentId !== null) query.set("agent", agentId);
  if (page > 1) query.set("page", String(page));
  const text = query.toString();
  return text === "" ? "sessions" : `sessions?${text}`;
}
