import { when } from "../shared/text.ts";
import { type Html, html } from "./html.ts";

/** `3 min ago`, with the exact instant for whoever asks for it. @param at ms since the epoch */
export function ago(at: number, now: number): Html {
  const exact = new Date(at).toISOString();
  return html`<time datetime="${exact}" title="${exact}">${when(at, now)}</time>`;
}

/** `2026-11-28 14:05 UTC`: the Gateway does not know where its user is. @param at ISO 8601 */
export function instant(at: string): Html {
  return html`<time datetime="${at}">${at.slice(0, 16).replace("T", " ")} UTC</time>`;
}
