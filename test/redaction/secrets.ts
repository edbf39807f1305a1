import { Random } from "../../bench/lib/random.ts";

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const DIGITS = "0123456789";

/** What the templates below are filled with. */
const CLASSES: Readonly<Record<string, string>> = {
  b62: UPPER + LOWER + DIGITS,
  b64: `${UPPER + LOWER + DIGITS}+/`,
  url: `${UPPER + LOWER + DIGITS}-_`,
  b36: LOWER + DIGITS,
  hex: `${DIGITS}abcdef`,
  HEX: `${DIGITS}ABCDEF`,
  digit: DIGITS,
  dollar: "$",
  amp: "!@#%^&*(-_=+)",
  letter: UPPER + LOWER,
  lower: LOWER,
  UP: UPPER + DIGITS,
  b32: `${UPPER}234567`,
  bech: "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
};

/**
 * Fills a template: `{b62:36}` is 36 characters of base62, `{uuid}` and `{jwt}` are what they say. Secrets are
 * made here and nowhere written down, so that nobody takes this repository for a leak.
 */
export function fill(random: Random, template: string): string {
  return template.replace(/\{([A-Za-z0-9]+)(?::(\d+))?\}/g, (_, name: string, length = "0") => {
    if (name === "uuid") return fill(random, "{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}");
    if (name === "jwt") return jwt(random);
    return draw(random, CLASSES[name] ?? "", Number(length));
  });
}

export function draw(random: Random, members: string, length: number): string {
  let text = "";
  while (text.length < length) text += members[random.below(members.length)];
  return text;
}

function jwt(random: Random): string {
  const claims = { sub: draw(random, DIGITS, 10), name: draw(random, LOWER, 12), iat: 1516239022 };
  const parts = [{ alg: "HS256", typ: "JWT" }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  return `${parts.join(".")}.${draw(random, CLASSES.url ?? "", 43)}`;
}

/** A private key as files have it. */
export function pem(random: Random, kind: string): string {
  const lines = Array.from({ length: 12 }, () => draw(random, CLASSES.b64 ?? "", 64));
  return [
    `-----BEGIN ${kind}-----`,
    ...lines,
    `${fill(random, "{b64:30}")}==`,
    `-----END ${kind}-----`,
  ].join("\n");
}

export interface Example {
  readonly rule: string;
  /** As it stands in a text. */
  readonly text: string;
  /** What must not be left over of it. */
  readonly secret: string;
}

/** Templates of what each rule finds; where not all of it is secret, the secret stands in `<>`. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  "anthropic-key": [
    "sk-ant-api03-{url:93}AA",
    "sk-ant-oat01-{url:93}AA",
    "sk-ant-admin01-{url:93}AA",
  ],
  "openai-key": [
    "sk-proj-{url:74}T3BlbkFJ{url:74}",
    "sk-svcacct-{url:58}T3BlbkFJ{url:58}",
    "sk-proj-{b62:48}",
  ],
  "openrouter-key": ["sk-or-v1-{hex:64}"],
  "langfuse-key": ["sk-lf-{uuid}"],
  "llm-key": ["sk-{b62:20}T3BlbkFJ{b62:20}", "sk-{hex:32}", "sk-{b62:48}"],
  "kimi-key": ["sk-kimi-{b62:64}"],
  "together-key": ["tgp_v1_{url:43}"],
  "jina-key": ["jina_{hex:32}{b62:28}"],
  "cursor-key": ["crsr_{hex:64}"],
  "e2b-key": ["e2b_{hex:40}"],
  "browserbase-key": ["bb_live_{url:26}{b62:1}"],
  "apify-token": ["apify_api_{b62:36}"],
  "crates-token": ["cio{b62:32}"],
  "snyk-token": ["snyk_uat.{hex:8}.{url:100}"],
  "clickup-token": ["pk_{digit:8}_{UP:32}"],
  "duffel-token": ["duffel_test_{url:43}"],
  "infisical-token": ["st.{uuid}.{hex:32}.{hex:32}"],
  "jfrog-reference-token": ["cmVmdGtu{b62:56}"],
  "vault-login": ["vault login <s.{b62:24}>"],
  "teams-webhook": [
    "https://a.webhook.office.com/webhookb2/{uuid}@{uuid}/IncomingWebhook/<{hex:32}/{uuid}>",
  ],
  "url-signature": [
    "https://d1.cloudfront.net/a?Expires=1767225600&Signature=<{url:340}{b62:2}>&Key-Pair-Id=K2",
    "https://storage.googleapis.com/b/o?X-Goog-Signature=<{hex:512}>",
  ],
  "command-password": [
    "sshpass -p '<{b62:10}#7a>' ssh root@10.0.0.1",
    "docker login -u bob -p <{b62:10}!7a> registry.example.net",
    "curl -uadmin:<{b62:12}!7a> https://example.net",
    "redis-cli -h cache -a <{b62:12}7a> ping",
    "mysqldump -u root -p<{lower:14}> main",
    "mysql -u root -p<{b62:12}7a> -h db",
    "http -a bob:<{b62:12}7a> https://example.net",
    'ConvertTo-SecureString "<{b62:12}#7a>" -AsPlainText -Force',
    "CREATE USER 'a'@'%' IDENTIFIED BY '<{b62:12}#7a>';",
  ],
  "openai-session": ["sess-{b62:40}"],
  "basic-auth": [
    '{"auths": {"https://example.com": {"auth": "<{basic:20}>"}}}',
    "_auth=<{basic:14}>",
  ],
  "curl-user": [
    "curl -u admin:<{b62:12}> https://example.com/x",
    "curl -s --user 'bob:<{b62:9}!a>' example.com",
    'curl --user "bob:<{b62:9}!a>" example.com',
  ],
  "cerebras-key": ["csk-{b36:48}"],
  "xai-key": ["xai-{b62:80}"],
  "groq-key": ["gsk_{b62:52}"],
  "perplexity-key": ["pplx-{b62:48}", "pplx-{hex:48}"],
  "huggingface-token": ["hf_{letter:34}", "hf_{b62:34}"],
  "huggingface-org-token": ["api_org_{letter:34}"],
  "replicate-token": ["r8_{b62:37}"],
  "fireworks-key": ["fw_{b62:24}"],
  "nvidia-key": ["nvapi-{url:64}"],
  "voyage-key": ["pa-{url:43}"],
  "elevenlabs-key": ["sk_{hex:48}"],
  "langsmith-key": ["lsv2_pt_{hex:32}_{hex:10}", "lsv2_sk_{hex:32}_{hex:10}"],
  "pinecone-key": ["pcsk_{b62:6}_{b62:63}"],
  "tavily-key": ["tvly-{b62:32}", "tvly-dev-{b62:32}"],
  "firecrawl-key": ["fc-{hex:32}"],
  "weights-and-biases-key": ["wandb_v1_{b62:77}"],
  "aws-key-id": ["AKIA{b32:16}", "ASIA{b32:16}", "AKIA{UP:16}"],
  "aws-key-pair": ["AKIA{b32:16},<{b64:40}>", "AKIA{b32:16}:<{b64:40}>"],
  "aws-session-token": ["IQoJb3JpZ2lu{b64:340}==", "FwoGZXIvYXdz{b64:300}"],
  "aws-bedrock-key": ["ABSKQmVkcm9ja0FQSUtleS{b64:108}=", "bedrock-api-key-{b64:200}"],
  "aws-signature": ["X-Amz-Signature=<{hex:64}>"],
  "google-api-key": ["AIza{url:34}{b62:1}", "AQ.Ab8RN6{url:44}"],
  "google-oauth-token": ["ya29.{url:120}{b62:1}"],
  "google-oauth-secret": ["GOCSPX-{url:28}"],
  "google-refresh-token": ["1//0{url:60}"],
  "azure-account-key": ["AccountKey=<{b64:86}==>", "SharedAccessKey=<{b64:43}=>"],
  "azure-sas-signature": ["?sv=2024-11-04&ss=b&sig=<{b64:43}=>"],
  "azure-client-secret": ["{b62:3}8Q~{url:34}", "{b62:3}7Q~{b62:34}"],
  "azure-key": ["{b62:52}JQQJ99BC{b62:24}"],
  "azure-devops-token": ["{b62:76}AZDO{b62:4}"],
  "digitalocean-token": ["dop_v1_{hex:64}", "doo_v1_{hex:64}"],
  "heroku-key": ["HRKU-AA{url:58}", "HRKU-{uuid}"],
  "vercel-token": ["vcp_{b62:56}", "vck_{b62:40}"],
  "vercel-blob-token": ["vercel_blob_rw_{b62:16}_{b62:30}"],
  "netlify-token": ["nfp_{b62:36}"],
  "cloudflare-token": ["cfut_{b62:40}{hex:8}", "cfk_{b62:40}{hex:8}"],
  "cloudflare-origin-ca-key": ["v1.0-{hex:24}-{hex:146}"],
  "fly-token": ["fo1_{url:43}", "fm2_{b64:200}", "fm1r_{b64:120}="],
  "supabase-key": ["sbp_{hex:40}", "sb_secret_{url:22}_{b62:8}"],
  "planetscale-token": ["pscale_tkn_{url:43}", "pscale_pw_{url:43}", "pscale_oauth_{url:43}"],
  "neon-key": ["napi_{b36:64}"],
  "databricks-token": ["dapi{hex:32}", "dapi{hex:32}-2"],
  "render-key": ["rnd_{b62:32}"],
  "alibaba-key-id": ["LTAI{b62:20}"],
  "tencent-key-id": ["AKID{b62:32}"],
  "vault-token": ["hvs.{url:94}", "hvb.{url:140}"],
  "terraform-token": ["{b62:14}.atlasv1.{url:66}{b62:1}"],
  "pulumi-token": ["pul-{hex:40}"],
  "doppler-token": ["dp.pt.{b62:43}", "dp.st.prd.{b62:43}", "dp.ct.{b62:40}"],
  "tailscale-key": ["tskey-auth-{b62:12}CNTRL-{b62:32}", "tskey-api-{b62:12}CNTRL-{b62:32}"],
  "onepassword-token": ["ops_eyJ{b64:300}"],
  "onepassword-secret-key": ["A3-{UP:6}-{UP:6}-{UP:5}-{UP:5}-{UP:5}-{UP:5}"],
  "age-secret-key": ["AGE-SECRET-KEY-1{bech:58}"],
  "jfrog-token": ["AKCp{b62:69}"],
  "dynatrace-token": ["dt0c01.{UP:24}.{UP:64}"],
  "github-token": [
    "ghp_{b62:36}",
    "gho_{b62:36}",
    "ghs_{b62:36}",
    "ghu_{b62:36}",
    "ghr_{b62:76}",
    "ghs_{digit:8}_{jwt}",
  ],
  "github-pat": ["github_pat_{b62:22}_{b62:59}"],
  "gitlab-token": [
    "glpat-{url:20}",
    "glpat-{url:27}.{b36:2}.{b36:9}",
    "glrt-{url:20}",
    "gldt-{url:20}",
    "glptt-{hex:40}",
  ],
  "gitlab-runner-token": ["GR1348941{url:20}"],
  "bitbucket-token": ["ATBB{b62:32}", "ATCTT3{url:160}={HEX:8}"],
  "npm-token": ["npm_{b62:36}"],
  "pypi-token": ["pypi-AgEIcHlwaS5vcmc{url:140}"],
  "rubygems-key": ["rubygems_{hex:48}"],
  "clojars-token": ["CLOJARS_{b36:60}"],
  "docker-token": ["dckr_pat_{url:27}", "dckr_oat_{url:32}"],
  "sourcegraph-token": ["sgp_{hex:16}_{hex:40}", "sgp_{hex:40}"],
  "sonarqube-token": ["squ_{hex:40}", "sqp_{hex:40}"],
  "buildkite-token": ["bkua_{hex:40}"],
  "circleci-token": ["CCIPAT_{b62:22}_{hex:40}"],
  "prefect-key": ["pnu_{b62:36}"],
  "postman-key": ["PMAK-{hex:24}-{hex:34}"],
  "slack-token": [
    "xoxb-{digit:12}-{digit:12}-{b62:24}",
    "xoxp-{digit:12}-{digit:12}-{digit:12}-{hex:32}",
    "xoxe.xoxp-1-{b62:146}",
    "xoxe-1-{b62:146}",
  ],
  "slack-app-token": ["xapp-1-A{UP:10}-{digit:13}-{hex:64}"],
  "slack-webhook": ["https://hooks.slack.com/services/<T{UP:10}/B{UP:10}/{b62:24}>"],
  "discord-webhook": ["https://discord.com/api/webhooks/{digit:18}/<{url:67}{b62:1}>"],
  "discord-bot-token": [
    "{discord:18}.{url:6}.{url:37}{b62:1}",
    "{discord:19}.{url:6}.{url:26}{b62:1}",
  ],
  "telegram-bot-token": [
    "https://api.telegram.org/bot<{digit:10}:AA{url:32}{b62:1}>/getMe",
    "{digit:10}:AA{url:32}{b62:1}",
    "{digit:9}:AA{url:32}{b62:1}",
  ],
  "twilio-key": ["SK{hex:32}"],
  "sendgrid-key": ["SG.{url:22}.{url:42}{b62:1}"],
  "mailgun-key": ["key-{hex:32}"],
  "mailchimp-key": ["{hex:32}-us12"],
  "brevo-key": ["xkeysib-{hex:64}-{b62:16}", "xsmtpsib-{hex:64}-{b62:16}"],
  "resend-key": ["re_{b62:8}_{b62:24}"],
  "matrix-token": ["syt_{b62:8}_{letter:20}_{b62:6}"],
  "meta-token": ["EAAG{b62:180}", "EAAB{b62:160}"],
  "stripe-key": ["sk_live_{b62:99}", "sk_test_{b62:24}", "rk_live_{b62:24}"],
  "stripe-webhook-secret": ["whsec_{b64:32}"],
  "square-token": ["sq0atp-{url:22}", "sq0csp-{url:43}"],
  "square-access-token": ["EAAA{url:59}{b62:1}"],
  "paypal-token": ["access_token$production{dollar:1}{b36:16}{dollar:1}{hex:32}"],
  "shopify-token": ["shpat_{hex:32}", "shpss_{hex:32}"],
  "plaid-token": ["access-production-{uuid}", "access-sandbox-{uuid}"],
  "easypost-key": ["EZAK{b62:54}"],
  "shippo-token": ["shippo_live_{hex:40}"],
  "newrelic-key": ["NRAK-{UP:27}", "NRII-{b62:32}", "NRJS-{hex:19}"],
  "newrelic-license-key": ["{hex:36}NRAL", "{hex:32}FFFFNRAL"],
  "datadog-token": ["ddapp_{b62:34}"],
  "sentry-token": ["sntrys_eyJ{b64:140}_{b64:43}", "sntryu_{hex:64}"],
  "grafana-token": ["glsa_{b62:32}_{hex:8}", "glc_eyJ{b64:140}="],
  "posthog-key": ["phx_{b62:43}"],
  "linear-key": ["lin_api_{b62:40}", "lin_oauth_{hex:64}"],
  "notion-token": ["ntn_{digit:11}{b62:35}", "secret_{b62:43}"],
  "airtable-token": ["pat{b62:14}.{hex:64}"],
  "atlassian-token": ["ATATT3xFfGF0{url:170}={HEX:8}"],
  "asana-token": ["1/{digit:16}:{hex:32}", "2/{digit:16}/{digit:16}:{hex:32}"],
  "figma-token": ["figd_{url:40}", "figo_{url:40}"],
  "okta-token": ["SSWS <00{url:40}>"],
  "hubspot-key": ["pat-na1-{uuid}", "pat-eu1-{uuid}"],
  "typeform-token": ["tfp_{b62:59}"],
  "contentful-token": ["CFPAT-{url:43}"],
  "dropbox-token": ["sl.u.{url:140}"],
  "readme-key": ["rdme_{b36:70}"],
  "adafruit-key": ["aio_{b62:28}"],
  "frameio-token": ["fio-u-{url:64}"],
  "infracost-key": ["ico-{b62:32}"],
  "mapbox-token": ["sk.eyJ{url:80}.{url:22}"],
  "launchdarkly-key": ["sdk-{uuid}", "api-{uuid}"],
  "maxmind-key": ["{b62:6}_{b62:29}_mmk"],
  "flutterwave-key": ["FLWSECK_TEST-{hex:32}-X", "FLWSECK-{hex:32}-X"],
  jwt: ["{jwt}"],
  "url-password": [
    "postgres://app:<{b62:12}>@db.internal:5432/main",
    "https://bob:<{b62:10}>@example.com/repo.git",
    "redis://:<{b62:20}>@cache:6379",
    "mongodb+srv://svc:<{b62:16}>@c0.abcde.mongodb.net/db",
    "https://<{b62:40}>@github.com/a/b.git",
  ],
  authorization: [
    "Authorization: Bearer <{b62:40}>",
    "authorization: bearer <{url:64}{b62:1}>",
    "Authorization: Token <{hex:40}>",
    "Authorization: <{b62:32}>",
    "Authorization: Basic <{basic:24}>",
  ],
  cookie: [
    "Cookie: theme=dark; session=<{b62:40}>",
    "Set-Cookie: sid=<{url:43}{b62:1}>; Path=/; HttpOnly",
  ],
  password: [
    'password: "<{b62:10}9x>"',
    "DB_PASSWORD=<{b36:12}>",
    "PGPASSWORD=<{b62:10}7a> psql",
    "mysql --password=<{b62:10}4z> -u root",
    "login --password <{b62:12}1q>",
    '{"user": "bob", "password": "<{b62:10}5g>"}',
    "passwd=<{b36:10}3k>",
    "password: <{hex:12}a1>",
    "my password is <{b62:9}7Ab!>",
    "the password for the admin account is <{b62:9}7Ab!>",
    "define('DB_PASSWORD', '<{b62:10}3x>');",
    "Server=db;User Id=sa;Pwd=<{b62:12}2r>;",
    "POSTGRES_PASSWORD: <{b62:4}&{b62:8}2r>",
    "machine api.example.net login bob password <{b62:12}2r>",
    "CREATE USER app WITH PASSWORD '<{b62:12}2r>';",
    '- name: DB_PASSWORD\n  value: "<{b62:12}2r>"',
    "//registry.example.net/:_password=<{base64:13}>",
  ],
  "named-secret": [
    "aws_secret_access_key = <{b64:40}>",
    "AWS_SECRET_ACCESS_KEY=<{b64:40}>",
    "export OPENCLAW_GATEWAY_TOKEN=<{hex:48}>",
    'api_key: "<{b62:32}>"',
    '{"apiKey": "<{b62:32}>", "x": 1}',
    "const clientSecret = '<{b62:40}>';",
    "tool --api-key <{b62:32}> run",
    "GET /v1?access_token=<{b62:32}>&x=1",
    "X-Api-Key: <{b62:32}>",
    "DD_API_KEY=<{hex:32}>",
    "TWILIO_AUTH_TOKEN=<{hex:32}>",
    "HEROKU_API_KEY=<{uuid}>",
    '{"name": "MISTRAL_API_KEY", "value": "<{b62:32}>"}',
    "VAULT_TOKEN=s.<{b62:24}>",
    'localStorage.setItem("token", "<{b62:40}>")',
    "SECRET_KEY = 'django-insecure-<{b36:20}{amp:3}{b36:12}{amp:2}{b36:13}>'",
    'add key="ApiKey" value="<{b62:32}>"',
    "AWS_SESSION_TOKEN=<{b64:900}=>",
    "//registry.example.com/:_authToken=<{uuid}>",
    "privateKey: <{b64:44}>",
    'os.environ["API_TOKEN"] = "<{b62:37}>"',
    'const clientSecret: string = "<{b62:40}>";',
    'const AuthToken string = "<{b62:40}>"',
    'let api_key: &str = "<{hex:40}>";',
    'api_token              = "<{b62:24}>"',
    '- name: CLIENT_SECRET\n          value: "<{b62:40}>"',
    '"name": "CLIENT_SECRET",\n      "value": "<{b62:40}>"',
    "setx API_TOKEN <{b62:37}>",
    "set -gx SERVICE_KEY <{hex:40}>",
    "ENV ACCESS_TOKEN <{b62:24}>",
    "git config --global github.token <{hex:40}>",
    "npm config set //npm.example.net/:_authToken <{b62:40}>",
    "aws configure set aws_secret_access_key <{b64:40}>",
    '["tool", "--token", "<{b62:40}>", "run"]',
    "| `ACME_API_KEY` | `<{b62:30}>` |",
    'const apiKey = process.env.API_KEY || "<{b62:40}>";',
    "const apiKey = process.env.API_KEY ?? '<{b62:40}>';",
    "Enter your API key: <{b62:40}>",
    "the secret key is <{b62:40}>",
    "app.api.key = <{b62:30}>",
    "APP_SECRET=<{b62:5}&{b62:6}#{b62:9}>",
    "SECRET_KEY = '<{b36:5}{amp:6}({b36:30}>'",
    "VAULT_TOKEN=<{hex:20}>",
  ],
};

/** Secrets of each rule, drawn anew for each seed. */
export function examples(seed: number): Example[] {
  const random = new Random(seed);
  const fromTemplates = Object.entries(TEMPLATES).flatMap(([rule, templates]) =>
    templates.map((template) => exampleOf(rule, special(random, template), random)),
  );
  return [...fromTemplates, ...keys(random)];
}

export const rulesWithExamples = (): string[] => [...new Set(examples(1).map(({ rule }) => rule))];

function exampleOf(rule: string, template: string, random: Random): Example {
  const filled = fill(random, template);
  const secret = /<(.+)>/.exec(filled)?.[1] ?? filled;
  return { rule, text: filled.replace(/<(.+)>/, "$1"), secret };
}

/** What no class describes. */
function special(random: Random, template: string): string {
  return template
    .replace(/\{discord:(\d+)\}/, (_, length: string) =>
      Buffer.from(`1${draw(random, DIGITS, Number(length) - 1)}`).toString("base64url"),
    )
    .replace(/\{base64:(\d+)\}/g, (_, length: string) =>
      Buffer.from(draw(random, CLASSES.b62 ?? "", Number(length))).toString("base64"),
    )
    .replace(/\{basic:(\d+)\}/, (_, length: string) =>
      Buffer.from(`user:${draw(random, CLASSES.b62 ?? "", Number(length))}`).toString("base64"),
    );
}

/** As a kubeconfig has it. */
function encoded(random: Random): Example {
  const secret = Buffer.from(pem(random, "RSA PRIVATE KEY")).toString("base64");
  return { rule: "private-key-base64", text: `client-key-data: ${secret}`, secret };
}

function keys(random: Random): Example[] {
  const kinds = [
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "EC PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
  ];
  const blocks = kinds.map((kind) => ({ rule: "private-key", text: pem(random, kind) }));
  const lines = [draw(random, CLASSES.b64 ?? "", 64), draw(random, CLASSES.b64 ?? "", 44)].join(
    "\n",
  );
  const putty = {
    rule: "putty-private-key",
    text: `PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 2\n${lines}\nPrivate-MAC: 00`,
  };
  return [
    ...blocks.map(({ rule, text }) => ({ rule, text, secret: text.split("\n")[3] ?? "" })),
    encoded(random),
    { ...putty, secret: lines.split("\n")[0] ?? "" },
  ];
}
