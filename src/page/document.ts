import { createHash } from "node:crypto";
import { VERSION } from "../shared/version.ts";
import { type Content, Html, html } from "./html.ts";
import { STYLE } from "./style.ts";
import { THEME_SCRIPT } from "./theme.ts";

/** The pages, by the last part of their address. */
export type PageName = "overview" | "sessions" | "history" | "preview";

const LINKS: readonly (readonly [PageName, string])[] = [
  ["overview", "Overview"],
  ["sessions", "Sessions"],
  ["history", "History"],
];

const hashOf = (text: string): string =>
  `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/**
 * Nothing is loaded from anywhere, and only what stands here is applied. `sandbox` holds also when
 * the page is opened outside of the Control UI's frame: it never has the Gateway's origin.
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(THEME_SCRIPT)}`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
  "sandbox allow-scripts",
].join("; ");

/** @param page the page itself, or the one it belongs to, in the navigation */
export function documentOf(page: PageName, title: string, content: Content): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – Influxion</title>
<style>${new Html(STYLE)}</style>
<script>${new Html(THEME_SCRIPT)}</script>
</head>
<body>
<a class="skip" href="#content">Skip to content</a>
<main id="content" tabindex="-1">
<header><h1>Influxion</h1><span class="faint">${VERSION}</span></header>
<nav aria-label="Influxion"><ul>${LINKS.map(([name, label]) => linkOf(name, label, page))}</ul></nav>
${content}
</main>
</body>
</html>
`.text;
}

function linkOf(name: PageName, label: string, page: PageName): Html {
  const current = name === page ? new Html(' aria-current="page"') : null;
  return html`<li><a href="${name}"${current}>${label}</a></li>`;
}
