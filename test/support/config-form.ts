import { readFileSync } from "node:fs";
import type { Locator, Page } from "playwright-core";
import { readConfig } from "../../src/config/config.ts";
import type { Gateway } from "./openclaw-gateway.ts";

interface Manifest {
  readonly configGroups: readonly { readonly title: string; readonly properties: string[] }[];
  readonly uiHints: Readonly<Record<string, OptionHint>>;
}

/** How editors of the host call an option, and which of them show it. */
export interface OptionHint {
  readonly label: string;
  readonly advanced?: boolean;
  readonly sensitive?: boolean;
}

/** The form of the plugin's config in the Control UI. */
export interface ConfigForm {
  readonly page: Page;
  /** The field of an option, in its section; of a list or a map all that belongs to it. */
  option(path: string): Locator;
  /** Types into a field and leaves it, which saves it. */
  write(path: string, text: string): Promise<void>;
  /** Chooses one of the words that an option can have. */
  choose(path: string, word: string): Promise<void>;
  addTo(list: string, item: string): Promise<void>;
}

const MANIFEST = new URL("../../openclaw.plugin.json", import.meta.url);
const { configGroups, uiHints } = JSON.parse(readFileSync(MANIFEST, "utf8")) as Manifest;

/** Of every option, in the order in which editors go through them. */
export const OPTION_HINTS: ReadonlyMap<string, OptionHint> = new Map(Object.entries(uiHints));

const CHOICES: readonly string[] = ["onDelete", "content.level"];

/** Goes there as a user does. @throws when it does not come up */
export async function openForm(page: Page, { url, token }: Gateway): Promise<ConfigForm> {
  // Another address first: one that differs only behind the # would not be loaded again.
  await page.goto("about:blank");
  await page.goto(`${url}/settings/plugins#token=${token}`);
  await page.getByRole("link", { name: /^Influxion/ }).click();
  await page.getByRole("main").locator('a[href$="/influxion?view=settings"]').click();
  await page.locator(".plugin-editor").getByRole("heading").first().waitFor();
  const closed = page.locator("section details:not([open]) > summary");
  while ((await closed.count()) > 0) await closed.first().click();

  const option = (path: string): Locator => optionIn(page, path);
  return {
    page,
    option,
    async write(path, text) {
      await option(path).fill(text);
      await option(path).press("Tab");
    },
    choose: (path, word) => option(path).getByRole("radio", { name: word, exact: true }).click(),
    async addTo(path, item) {
      const list = option(path);
      await list.getByRole("button", { name: "Add", exact: true }).click();
      await list.getByRole("textbox", { name: /^Add: / }).fill(item);
      await list.getByRole("button", { name: "Add", exact: true }).last().click();
    },
  };
}

function optionIn(page: Page, path: string): Locator {
  const title = configGroups.find(({ properties }) =>
    properties.some((name) => path === name || path.startsWith(`${name}.`)),
  )?.title;
  const name = OPTION_HINTS.get(path)?.label;
  if (title === undefined || name === undefined) throw new Error(`${path} is in no section`);
  const heading = page.getByRole("heading", { name: title, exact: true });
  const section = heading.locator("xpath=ancestor::section[1]");
  const role = roleOf(path);
  if (role === "group") {
    const groups = section.locator(".cfg-array, .cfg-object");
    return groups.filter({ has: page.getByText(name, { exact: true }) }).last();
  }
  if (role === "radiogroup") {
    // What has the role is in a shadow tree, beside the choices.
    const named = page.getByRole(role, { name, exact: true });
    return section.locator("wa-radio-group").filter({ has: named });
  }
  return section.getByRole(role, { name, exact: true });
}

/** By what the plugin reads where the option is not set. */
function roleOf(path: string): "spinbutton" | "checkbox" | "group" | "radiogroup" | "textbox" {
  const value = path.split(".").reduce(memberOf, defaults());
  if (typeof value === "number") return "spinbutton";
  if (typeof value === "boolean") return "checkbox";
  if (typeof value === "object") return "group";
  return CHOICES.includes(path) ? "radiogroup" : "textbox";
}

const memberOf = (value: unknown, name: string): unknown =>
  (value as Readonly<Record<string, unknown>>)[name];

function defaults(): unknown {
  const read = readConfig({ apiKey: "k", deploymentId: "d", projectId: "p" });
  if (!read.ok) throw new Error("the least config is not read");
  return read.config;
}
