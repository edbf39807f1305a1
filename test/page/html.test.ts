import { expect, test } from "vitest";
import { type Content, Html, html, name } from "../../src/page/html.ts";

test.for([
  ["<script>alert(1)</script>", "&#60;script&#62;alert(1)&#60;/script&#62;"],
  [`" onload="x`, "&#34; onload=&#34;x"],
  ["' autofocus='", "&#39; autofocus=&#39;"],
  ["a & b", "a &#38; b"],
  ["left\u202eright\u2066\u200b", "leftright"],
  ["\u0000\u001b[31mred\r\n", "[31mred"],
])("%j is text in a page, and stays it", ([text = "", escaped]) => {
  expect(html`<p title="${text}">${text}</p>`.text).toBe(`<p title="${escaped}">${escaped}</p>`);
});

test("what is HTML already goes in as it is, lists piece by piece, and nothing for null and false", () => {
  const pieces: Content = [html`<b>${1}</b>`, "<i>", null, false, [new Html("<hr>")]];
  expect(html`${pieces}`.text).toBe("<b>1</b>&#60;i&#62;<hr>");
});

test("a name keeps its direction to itself", () => {
  expect(name("א<b>").text).toBe("<bdi>א&#60;b&#62;</bdi>");
});
