import type { Random } from "./random.ts";

const WORDS =
  `a about after agent all and any are as at back be because been before between build but
by call can change check close commit config could day default did directory do does done each early
edit error even every file first fix for found from function get give good had has have here how if in
input into is it its just keep know last later let like line list little long look made main make many
may message method might missing module more most much must name need never new next no not now of off
often old on once one only open or order other our out output over own package parameter part path
place point problem process question read really result return right run same save say second see
send server session set should show since small some start state step still string such sure take test
than that the their them then there these they thing this those through time to too try two type under
until up update use user value variable very want was way we well were what when where which while who
why will with without word work would write year yes you your Größe Übersicht straße fehler données
résumé naïve être mañana niño año 漢字 日本語 設定 検索 привет файл ошибка → ✓ …`.split(/\s+/);

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const EXTENSIONS = ["ts", "md", "json", "txt"];
const CODE = '\n```ts\nconst found = entries.filter((entry) => entry.type === "message");\n```\n';

/** Sentences with some code, quotes and line breaks between them. */
export function prose(random: Random, length: number): string {
  let text = "";
  while (text.length < length) {
    text += WORDS[random.below(WORDS.length)];
    const mark = random.next();
    if (mark < 0.02) text += ".\n\n";
    else if (mark < 0.07) text += ", ";
    else if (mark < 0.085) text += '. "it says \\n" ';
    else if (mark < 0.093) text += CODE;
    else text += " ";
  }
  return text.slice(0, length);
}

/** What a shell prints: the lines of `ls -l`, and coloured progress. */
export function listing(random: Random, length: number): string {
  let text = "";
  for (let line = 1; text.length < length; line++) {
    const time = `${10 + random.below(14)}:${10 + random.below(50)}`;
    const extension = EXTENSIONS[random.below(EXTENSIONS.length)];
    text += `-rw-r--r-- 1 user user ${random.below(1e6)} Jan ${1 + random.below(28)} ${time} part-${hex(random, 6)}.${extension}\n`;
    if (line % 30 === 0) text += `\u001b[32m✓\u001b[0m step ${line} of the build\n`;
  }
  return text.slice(0, length);
}

/** Random bytes as base64, which do not compress below three quarters. */
export function base64(random: Random, length: number): string {
  let text = "";
  while (text.length < length) {
    let bits = Math.floor(random.next() * 2 ** 30);
    for (let digit = 0; digit < 5; digit++, bits >>>= 6) text += BASE64[bits & 63];
  }
  return text.slice(0, length);
}

export function hex(random: Random, length: number): string {
  let text = "";
  while (text.length < length)
    text += random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, "0");
  return text.slice(0, length);
}

export function uuid(random: Random): string {
  const digits = hex(random, 30);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(12, 15)}-a${digits.slice(15, 18)}-${digits.slice(18)}`;
}
