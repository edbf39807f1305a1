import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import chromium from "@sparticuz/chromium";
import { type Browser, type Frame, type Page, chromium as playwright } from "playwright-core";

/** A rule of axe that something on a page breaks. */
export interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly string[];
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A headless browser: the one in the devDependencies, which is for Linux, or that of CHROMIUM_PATH. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? (await chromium.executablePath());
  return await playwright.launch({ executablePath, args: ["--no-sandbox"] });
}

/** What axe finds in a page, or in one of its frames: WCAG 2.2 A and AA, and best practices. */
export async function violations(page: Page | Frame): Promise<Violation[]> {
  await page.evaluate(AXE);
  return (await page.evaluate(`axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }).then(({ violations }) => violations.map(({ id, help, nodes }) => ({
    id, help, nodes: nodes.map(({ html }) => html),
  })))`)) as Violation[];
}
