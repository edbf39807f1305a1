import type { Random } from "./random.ts";

/** What people ask agents for, in the languages they ask in. */
const REQUESTS = [
  "Can you find out why the nightly build is red? It was fine yesterday.",
  "Please tidy up the invoices folder, one subfolder per month.",
  "Kannst du die Übersicht für das Team auf Deutsch zusammenfassen? Größe egal, nur kurz.",
  "Résume-moi les dernières notes de réunion, s'il te plaît.",
  "週報の下書きを作ってください。数字は先週のものと比べて。",
  "هل يمكنك تلخيص رسائل اليوم؟",
  'The page says "Unexpected token \\u003c in JSON" – what does that mean?',
  "Remind me what we decided about the cache, and why 🤔",
  "Rename `userId` to `accountId` everywhere, but leave the migrations alone.",
  "How much disk space do the logs take? And which ones can go? 🧹",
] as const satisfies [string, ...string[]];

const SENTENCES = [
  "The failing step is the one that downloads the fixtures.",
  "It retries three times and then gives up, so the error at the end hides the first one.",
  "Nothing else in the folder refers to it, so removing it is safe.",
  "Das steht auch so in der Übersicht – ich habe nur die Reihenfolge geändert.",
  "Two of the numbers differ from last week; both come from the same source.",
  "Voilà, c'est fait : rien n'a été supprimé.",
  "数字は先週と同じです。",
  "I left the migrations alone, as you asked. 👍",
  "The largest file is a log that nobody has read since spring.",
  'The service answers with an HTML page, and that is the "<" the parser trips over.',
] as const satisfies [string, ...string[]];

const FILES = [
  "src/server/routes.ts",
  "src/server/cache.ts",
  "docs/übersicht.md",
  "logs/2026-11/access.log",
  "invoices/2026-10/rechnung-0042.pdf",
  "notes/週報.md",
  "package.json",
] as const satisfies [string, ...string[]];

export const request = (random: Random): string => random.pick(REQUESTS);

export function prose(random: Random, sentences: number): string {
  return Array.from({ length: sentences }, (_, i) => {
    const end = i % 5 === 4 ? "\n\n" : " ";
    return random.pick(SENTENCES) + end;
  })
    .join("")
    .trim();
}

/** What a command prints: paths, sizes, times, and now and then a colour. */
export function listing(random: Random, lines: number): string {
  return Array.from({ length: lines }, (_, i) => {
    const size = String(random.between(10, 9_999_999)).padStart(8);
    const time = `${random.between(10, 23)}:${random.between(10, 59)}`;
    const mark = i % 25 === 24 ? "\u001b[32m✓\u001b[0m " : "";
    return `${mark}-rw-r--r-- 1 user user ${size} Nov ${random.between(1, 21)} ${time} ${random.pick(FILES)}\n`;
  }).join("");
}
