import { type Config, type ConfigProblem, formatConfigProblem } from "../config/config.ts";
import { headlineOf } from "../run/headline.ts";
import { readHistory } from "../run/history.ts";
import { readSessions } from "../run/session-states.ts";
import { readState } from "../run/state.ts";
import { asInfluxionError } from "../shared/problem.ts";
import { documentOf, type PageName } from "./document.ts";
import { historyPage } from "./history.ts";
import { type Content, html } from "./html.ts";
import { METRICS_TYPE, metricsOf } from "./metrics.ts";
import { overview } from "./overview.ts";
import { previewPage } from "./preview.ts";
import type { PageAnswer, PageInput } from "./request.ts";
import { sessionQueryOf, sessionsPage } from "./sessions.ts";

const HTML_TYPE = "text/html; charset=utf-8";

const TITLES: Readonly<Record<PageName, string>> = {
  overview: "Overview",
  sessions: "Sessions",
  history: "History",
  preview: "Preview",
};

/** Makes an answer from what is on the disk. Reads no network and changes nothing; never throws. */
export async function answerTo(
  input: PageInput,
  now: () => number,
  signal: AbortSignal,
): Promise<PageAnswer> {
  const { resource, config } = input;
  if (resource === "metrics") return await metrics(input, now);
  try {
    const content = config.ok
      ? await contentOf(resource, input, config.config, now, signal)
      : unconfigured(config.problems);
    return { status: 200, type: HTML_TYPE, body: documentOf(resource, TITLES[resource], content) };
  } catch (error) {
    const { message } = asInfluxionError(error);
    const failed = html`<section role="alert"><h2>This cannot be shown</h2><p>${message}</p></section>`;
    return { status: 500, type: HTML_TYPE, body: documentOf(resource, TITLES[resource], failed) };
  }
}

async function contentOf(
  page: PageName,
  input: PageInput,
  config: Config,
  now: () => number,
  signal: AbortSignal,
): Promise<Content> {
  const { stateDir, layout, secrets } = input;
  const query = new URLSearchParams(input.query);
  switch (page) {
    case "history":
      return historyPage(await readHistory(stateDir));
    case "sessions": {
      const looked = { stateDir, layout, config, agentId: undefined, now, signal };
      const { sessions } = await readSessions(looked);
      return sessionsPage(sessions, sessionQueryOf(query), now());
    }
    case "preview": {
      const session = query.get("session") ?? "";
      if (secrets === null || "problem" in secrets) return unknownSecrets(secrets?.problem);
      return await previewPage({ stateDir, layout, config, secrets, session, signal, now });
    }
    case "overview": {
      const state = await readState(stateDir, config, now, layout);
      const history = await readHistory(stateDir);
      const at = now();
      return overview({ config, state, headline: headlineOf(config, state, at), history, now: at });
    }
  }
}

/** What is not known cannot be left out. */
function unknownSecrets(problem = "what must never leave is not known"): Content {
  return html`<section role="alert"><h2>Nothing is shown</h2><p>${problem}</p></section>`;
}

function unconfigured(problems: readonly ConfigProblem[]): Content {
  return html`<p class="headline warn">not configured: nothing is uploaded</p>
<section aria-labelledby="config"><h2 id="config">To be set</h2><ul class="items">
${problems.map((problem) => html`<li>${formatConfigProblem(problem)}</li>`)}
</ul><p>"openclaw influxion setup" asks for it; so do the plugin's settings in the Control UI.</p></section>`;
}

async function metrics(
  { stateDir, layout, config }: PageInput,
  now: () => number,
): Promise<PageAnswer> {
  if (!config.ok) return { status: 200, type: METRICS_TYPE, body: metricsOf(null) };
  try {
    const state = await readState(stateDir, config.config, now, layout);
    const at = now();
    const headline = headlineOf(config.config, state, at);
    return { status: 200, type: METRICS_TYPE, body: metricsOf({ state, headline, now: at }) };
  } catch (error) {
    const { message } = asInfluxionError(error);
    return { status: 500, type: "text/plain; charset=utf-8", body: `${message}\n` };
  }
}
