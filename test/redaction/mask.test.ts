import { expect, test } from "vitest";
import { mask } from "../../src/redaction/mask.ts";

test("of a secret at most four characters of its beginning and two of its end are shown, and a quarter", () => {
  for (let length = 0; length < 200; length++) {
    const secret = Array.from({ length }, (_, n) => String.fromCodePoint(0x1f300 + n)).join("");
    const [head = "", tail = ""] = mask(secret).split("…");
    expect([...head].length).toBeLessThanOrEqual(4);
    expect([...tail].length).toBeLessThanOrEqual(2);
    expect([...head, ...tail].length).toBeLessThanOrEqual(length / 4);
    expect(secret.startsWith(head) && secret.endsWith(tail)).toBe(true);
  }
  expect(mask("ghp_a8Fk2LmQ9xZr4TvBn7WcY1sHd6JpE3gUo5Kt")).toBe("ghp_…Kt");
  expect(mask("abcde")).toBe("…");
});
