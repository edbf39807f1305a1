import type { HistoryEntry } from "../run/history.ts";
import { bytes, span } from "../shared/text.ts";
import { type Html, html } from "./html.ts";
import { instant } from "./time.ts";

/** What the last runs did, the newest first. */
export function historyPage(history: readonly HistoryEntry[]): Html {
  return html`<section aria-labelledby="history"><h2 id="history">Last runs</h2>
${history.length === 0 ? html`<p class="faint">No run has sent anything yet.</p>` : table(history)}</section>`;
}

function table(history: readonly HistoryEntry[]): Html {
  return html`<div class="scroll" role="region" aria-label="Figures of each run" tabindex="0"><table>
<thead><tr><th scope="col">Ended</th><th scope="col">Started by</th><th scope="col">Outcome</th><th scope="col" class="number">Sessions</th><th scope="col" class="number">Lines</th><th scope="col" class="number">Transcripts</th><th scope="col" class="number">On the wire</th><th scope="col" class="number">Failing</th><th scope="col" class="number">Took</th></tr></thead>
<tbody>${history.toReversed().map(row)}</tbody></table></div>`;
}

function row(run: HistoryEntry): Html {
  const { at, trigger, outcome, reason, sessions, lines, failed, durationMs, times = 1 } = run;
  const tone = outcome === "done" ? "good" : outcome === "refused" ? "bad" : "warn";
  return html`<tr><th scope="row">${instant(at)}</th><td>${trigger}</td>
<td class="wide"><span class="${tone}">${outcome}</span>${times > 1 && html` <span class="faint">${times} times</span>`}${reason !== null && html`<br>${reason}`}</td>
<td class="number">${sessions}</td><td class="number">${lines}</td><td class="number">${bytes(run.bytes)}</td><td class="number">${bytes(run.wireBytes)}</td><td class="number">${failed}</td><td class="number">${span(durationMs)}</td></tr>`;
}
