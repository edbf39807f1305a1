import { expect, test } from "vitest";
import { withoutImages } from "../../src/content/images.ts";

const PNG = `iVBORw0KGgo${"A".repeat(200)}`;
const wrapped = (data: string): string => data.replace(/.{76}/g, "$&\n");

const without = (value: unknown): string => JSON.stringify(withoutImages(value));

test.for([
  ["a block", { type: "image", data: PNG, mimeType: "image/png" }],
  ["a block with an address", { type: "image", url: "https://a.example/x.png" }],
  [
    "an address in an object",
    { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
  ],
  ["a source", { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } }],
  ["bytes", { type: "image", data: { type: "Buffer", data: [137, 80, 78, 71, 13, 10] } }],
  ["an object of any form", { type: "image", source: { here: ["SECRET"], or: { x: "SECRET" } } }],
  ["a resource", { type: "resource", resource: { mimeType: "image/jpeg", blob: "SECRET" } }],
  ["details of a tool", { details: { kind: "image", base64: "SECRET" } }],
  ["a list of media", { MediaUrls: ["https://a.example/x.png"] }],
  ["a data URL", `data:image/svg+xml;utf8,<svg id='SECRET x'></svg>`],
  ["a data URL in a text", `see ![x](data:image/png;base64,${PNG}) there`],
  ["one that is not base64", `see data:image/svg+xml,<svg id="SECRET x"> a </svg> there`],
  ["one that is not closed", `see data:image/svg+xml,<svg id="SECRET x"> a`],
  ["base64 of a PNG", `{"data":"${PNG}"}`],
  ["base64 of a JPEG", `/9j/${"A".repeat(200)}`],
  ["base64 in lines", `$ base64 x.png\n${wrapped(PNG)}\n$ ls`],
] as const)("the image in %s is left out", ([, value]) => {
  const sent = without(value);
  expect(sent).not.toMatch(/AAAAAAA|SECRET|a\.example|137,80|svg id/);
  expect(sent).toContain("[left out: ");
});

test("what stands around an image in a text stays", () => {
  expect(withoutImages(`see ![x](data:image/png;base64,${PNG}) there`)).toBe(
    `see ![x](data:image/png;base64,[left out: ${PNG.length}]) there`,
  );
  expect(withoutImages(`$ base64 x.png\n${PNG}\n\n$ ls`)).toBe(
    `$ base64 x.png\n[left out: ${PNG.length}]\n\n$ ls`,
  );
});

test("kind and size of an image stay", () => {
  const image = { type: "image", mimeType: "image/png", width: 3, bytes: 12, data: "" };
  expect(withoutImages({ ...image, data: PNG })).toEqual({
    ...image,
    data: `[left out: ${PNG.length}]`,
  });
});

test("an image that was left out before keeps its size", () => {
  const image = { type: "image", mimeType: "image/png", data: "[left out: 3000]" };
  expect(withoutImages(image)).toBe(image);
});

test.for([
  ["a text", { type: "text", text: "the image is at /tmp/x.png" }],
  ["a call of a tool", { type: "toolCall", arguments: { url: "https://a.example", data: "x" } }],
  ["an audio file", { type: "audio", mimeType: "audio/ogg", data: "T2dnUw" }],
  ["words of base64", { text: "iVBORw0KGgo is how a PNG begins, and /9j/ a JPEG" }],
  ["hostile kinds", { type: { toString: 1 }, mimeType: [], kind: null, data: "x" }],
] as const)("%s has no image in it, and is the value itself", ([, value]) => {
  expect(withoutImages(value)).toBe(value);
});
