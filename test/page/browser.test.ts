import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Frame, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { answerRequest } from "../../src/page/routes.ts";
import { PageThread } from "../../src/page/thread.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { startBrowser, violations } from "../support/browser.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { inputOf } from "./support.ts";

const HOSTILE = `<script>alert("evil")</script> \u202eevil ${"x".repeat(300)}`;

const PAGES = [
  "overview",
  "sessions",
  "sessions?agent=ops&state=pending",
  "history",
  "preview?session=ops/s-1",
  "preview?session=nothing",
];

// Run in the browser, of whose types the tests know nothing.
const WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]";
const REACHABLE = "document.querySelectorAll('a[href], [tabindex=\"0\"]').length";
const FOCUSED = "document.activeElement?.outerHTML ?? ''";

let browser: Browser;
let lab: Lab;
let thread: PageThread;
let url: string;

/** More of everything than fits: agents, sessions of all states, runs that failed, hostile names. */
async function fill(): Promise<Record<string, unknown>> {
  for (let n = 0; n < 3; n++) lab.session("main", `sent-${n}`);
  await lab.sync();
  const server = await startFaultServer({ script: () => ({ kind: "status", status: 422 }) });
  for (let n = 0; n < 3; n++) {
    lab.session("failing", `failing-${n}`);
    await lab.sync({ overrides: { apiUrl: server.url } });
  }
  await server.close();
  const agent = new AgentDb(lab.stateDir, { agentId: "ops" });
  for (let n = 0; n < 60; n++) {
    agent.addSession(`s-${n}`, conversation(`s-${n}`, 5), `agent:ops:s-${n}`);
    agent.addNode(`agent:ops:s-${n}`, { sessionId: `s-${n}`, label: `${n} ${HOSTILE}` });
  }
  agent.close();
  return { filter: { sessions: { deny: ["sent-1", HOSTILE.slice(0, 40)] } } };
}

beforeAll(async () => {
  lab = await Lab.start();
  thread = new PageThread();
  const overrides = await fill();
  const { stateDir, layout, config } = inputOf(lab, "overview", "", overrides);
  const options = { stateDir, layout, config, hostConfig: {}, thread };
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/plugins/")) void answerRequest(request, response, options);
    else response.setHeader("content-type", "text/html").end(PARENT);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await startBrowser();
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await thread?.end();
  await lab?.[Symbol.asyncDispose]();
});

/** Frames a page as the Control UI does, and says that it is dark. */
const PARENT = `<!doctype html><title>Parent</title>
<iframe sandbox="allow-scripts" width="100%" height="800" title="Influxion"></iframe>
<script>
document.querySelector("iframe").onload = ({ target }) =>
  target.contentWindow.postMessage({ type: "openclaw:widget-theme", mode: "dark", tokens: {} }, "*");
</script>`;

/** A page on its own, and everything that went wrong on it. */
async function open(path: string, colorScheme: "light" | "dark" = "light", width = 1280) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  onTestFinished(() => page.close());
  const trouble: string[] = [];
  page.on("console", (message) => void trouble.push(message.text()));
  page.on("pageerror", (error) => void trouble.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) trouble.push(request.url());
  });
  page.on("dialog", (dialog) => void trouble.push(dialog.message()));
  await page.goto(`${url}/plugins/influxion/${path}`);
  return { page, trouble };
}

/** Without the icon that a browser asks for when a page stands alone. */
const real = (trouble: readonly string[]): string[] =>
  trouble.filter((one) => !one.includes("favicon"));

for (const scheme of ["light", "dark"] as const) {
  test.for(PAGES)(`axe finds nothing on %s in ${scheme}, and nothing goes wrong`, async (path) => {
    const { page, trouble } = await open(path, scheme);
    expect(await violations(page)).toEqual([]);
    expect(real(trouble)).toEqual([]);
  });
}

test.for(PAGES)("at 360 pixels %s is not wider than the screen", async (path) => {
  const { page } = await open(path, "light", 360);
  const [wide, screen] = (await page.evaluate(WIDTHS)) as [number, number];
  expect(wide).toBe(screen);
});

test.for(PAGES)(
  "the keyboard reaches every link of %s and every part that scrolls",
  async (path) => {
    const { page } = await open(path);
    const wanted = (await page.evaluate(REACHABLE)) as number;
    const reached = new Set<string>();
    for (let n = 0; n < wanted; n++) {
      await page.keyboard.press("Tab");
      reached.add((await page.evaluate(FOCUSED)) as string);
    }
    expect(reached.size).toBe(wanted);
  },
);

test("in a sandboxed frame a page takes over the theme around it, also after a link", async () => {
  const page: Page = await browser.newPage({ colorScheme: "light" });
  onTestFinished(() => page.close());
  await page.goto(url);
  const frame = (await (await page.$("iframe"))?.contentFrame()) as Frame;
  await frame.goto(`${url}/plugins/influxion/overview`);
  await frame.locator("html[data-theme='dark']").waitFor();
  await frame.getByRole("link", { name: "History", exact: true }).click();
  await frame.getByRole("rowheader").first().waitFor();
  await frame.locator("html[data-theme='dark']").waitFor();
  expect(await frame.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(
    "rgb(20, 22, 26)",
  );
});
