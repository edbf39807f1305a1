import { plain } from "../shared/text.ts";

/** What {@link html} takes: text is escaped, nothing is written for null and false. */
export type Content = string | number | Html | null | false | undefined | readonly Content[];

/** Text that is HTML already; only {@link html} and constants of this plugin make it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A piece of a page: whatever is put in is text, unless it is {@link Html} itself. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  let text = strings[0] ?? "";
  for (const [index, value] of values.entries()) {
    text += contentOf(value) + (strings[index + 1] ?? "");
  }
  return new Html(text);
}

/** Characters of a name that are shown. */
const NAME_LENGTH = 160;

/** A name that somebody has chosen, cut: it cannot change the direction of what stands beside it. */
export function name(text: string): Html {
  const shown = text.length > NAME_LENGTH ? `${text.slice(0, NAME_LENGTH)}…` : text;
  return html`<bdi>${shown}</bdi>`;
}

/** Safe in text and in quoted attributes; control, invisible and reordering characters are left out. */
export function escapeHtml(text: string): string {
  return plain(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function contentOf(value: Content): string {
  if (value === null || value === undefined || value === false) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(contentOf).join("");
  return escapeHtml(String(value));
}
