import { isPlaceholder } from "../randomness.ts";
import { type Needle, NOTHING, type Rule } from "../rule.ts";

/** A quoted value, or one without spaces. */
const VALUE = `(?:"(?<double>[^"\\n]{4,200})"|'(?<single>[^'\\n]{4,200})'|(?<bare>[^\\s"'\`$<>|;]{4,200}))`;

/** Whatever else of a command line stands in between. */
const OPTIONS = "(?: [^\\n;|]{0,160}?)??";

const COMMANDS: readonly (readonly [begin: string, form: string])[] = [
  ["sshpass", `sshpass${OPTIONS} -p ?`],
  ["docker login", `docker login${OPTIONS} (?:-p|--password)[ =]`],
  ["podman login", `podman login${OPTIONS} (?:-p|--password)[ =]`],
  ["helm registry login", `helm registry login${OPTIONS} -p `],
  ["curl ", `curl${OPTIONS} -u(?=[A-Za-z])[^\\s:"'\`$]{1,80}:`],
  ["redis-cli", `redis-cli${OPTIONS} (?:-a|--pass) `],
  ["mysql", `mysql(?:dump|admin|import)?${OPTIONS} -p(?=[^ ])`],
  ["mariadb", `mariadb(?:-dump|-admin)?${OPTIONS} -p(?=[^ ])`],
  ["http -a ", "http -a [^\\s:\"']{1,80}:"],
  ["https -a ", "https -a [^\\s:\"']{1,80}:"],
  ["SecureString ", "SecureString (?:-String )?(?=[\"'])"],
  ["IDENTIFIED BY ", "IDENTIFIED BY (?:PASSWORD )?(?=')"],
  ["identified by ", "(?<=\\buser [^\\n]{1,80})identified by (?:password )?(?=')"],
  ["requirepass ", "(?<=^|\\n|[-+])requirepass "],
];

const EXPRESSIONS = COMMANDS.map(([, form]) => new RegExp(form + VALUE, "dy"));

/** Of a command's name and all options before the password, and of the password. */
const REACH = 420;

const verify: Needle["verify"] = () => true;

/** Passwords on the command lines of programs that have an option of their own for them, and in statements of SQL. */
export const commandPassword: Rule = {
  id: "command-password",
  source: "the manuals of sshpass, curl, Docker, Redis, MySQL, HTTPie and PowerShell",
  reach: REACH,
  generic: true,
  needles: COMMANDS.flatMap(([begin]) => {
    const encoded = begin.replaceAll(" ", "%20");
    return [...new Set([begin, encoded])].map((text) => ({ text, verify }));
  }),
  form: COMMANDS.map(([, form]) => form).join("\n"),
  find({ text }, at) {
    for (const expression of EXPRESSIONS) {
      expression.lastIndex = at;
      const groups = expression.exec(text)?.indices?.groups;
      const [start, end] = groups?.double ?? groups?.single ?? groups?.bare ?? [0, 0];
      const value = text.slice(start, end);
      if (value === "" || !isPassword(value)) continue;
      return [{ start, end, rule: "command-password" }];
    }
    return NOTHING;
  },
};

/** Not a placeholder, a variable, a word for a password, or a path. */
const isPassword = (value: string): boolean =>
  !isPlaceholder(value) &&
  !/^(?:pass(?:word|wd)?|pwd|secret|token|user(?:name)?|string|[$%({<[].*|[./~-].*)$/i.test(
    value,
  ) &&
  new Set(value).size >= 4 &&
  (/[^a-z]/.test(value) || (value.length >= LEAST_LETTERS && !WORDS.test(value)));

/** Of letters alone, shorter ones are words and names. */
const LEAST_LETTERS = 8;

/** Parts of what documents write for a password. */
const WORDS = /pass|secret|foobar|token|string|admin/;
