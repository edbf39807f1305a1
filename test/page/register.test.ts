import { expect, test } from "vitest";
import { registerPage } from "../../src/page/register.ts";

/** A host that writes down what is registered. */
function hostWith(names: readonly string[]): { api: never; registered: string[] } {
  const registered: string[] = [];
  const note = (name: string) => (): unknown => registered.push(name);
  const all = {
    registerHttpRoute: note("route"),
    registerSecurityAuditCollector: note("audit"),
    registerBoardWidgetContentKind: note("widget"),
    session: { controls: { registerControlUiDescriptor: note("tab") } },
  };
  const api = Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
  return { api: api as never, registered };
}

test.for([
  [[], []],
  [["registerHttpRoute"], ["route"]],
  [
    ["session", "registerHttpRoute", "registerSecurityAuditCollector"],
    ["route", "audit"],
  ],
  [
    ["session", "registerHttpRoute", "registerBoardWidgetContentKind"],
    ["route", "tab"],
  ],
] as const)("of a host that has %j, no more is asked than that", ([names, expected]) => {
  const { api, registered } = hostWith(names);
  registerPage(api);
  expect(registered).toEqual(expected);
});
