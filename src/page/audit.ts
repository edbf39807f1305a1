import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import { type Config, isLoopbackUrl, readConfig } from "../config/config.ts";
import { describeTransform } from "../run/first-contact.ts";
import { readState } from "../run/state.ts";
import { asObject } from "../shared/json.ts";
import { plain } from "../shared/text.ts";
import { readLayout } from "../stores/layout.ts";

type Collector = Parameters<OpenClawPluginApi["registerSecurityAuditCollector"]>[0];
type Finding = Awaited<ReturnType<Collector>>[number];

/** Patterns of filters that are named in a finding. */
const NAMED = 10;

/**
 * What the host's security audit is told: that conversations leave, where they go and how.
 * Nothing where the plugin is not configured, since then nothing is sent.
 */
export async function auditFindings(hostConfig: unknown, stateDir: string): Promise<Finding[]> {
  const result = readConfig(pluginConfigOf(hostConfig));
  if (!result.ok) return [];
  const { config } = result;
  const findings = [destination(config), ...plainHttp(config)];
  const layout = readLayout(hostConfig);
  const state = await readState(stateDir, config, Date.now, layout).catch(() => null);
  const unmatched = (state?.unmatched ?? []).map(
    ({ option, pattern }) => `${option}: ${JSON.stringify(pattern)}`,
  );
  return unmatched.length === 0 ? findings : [...findings, unmatchedFilters(unmatched)];
}

function pluginConfigOf(hostConfig: unknown): unknown {
  const { plugins } = asObject(hostConfig);
  return asObject(asObject(asObject(plugins).entries).influxion).config;
}

function destination({ apiUrl, content, redact, filter, everyMs, upload }: Config): Finding {
  const level = `${content.level}${content.images ? "" : ", no-images"}`;
  const less = Object.keys(filter.agents.content).length > 0 ? ", or less by agent" : "";
  const every = everyMs === 0 ? 'when "openclaw influxion sync" is run' : `every ${upload.every}`;
  return {
    checkId: "influxion.destination",
    severity: "info",
    title: "Session transcripts are sent to Influxion",
    detail: plain(
      `Conversations of your agents go to ${new URL(apiUrl).origin}, ${every}: ${describeTransform([`${level}${less}`], redact.secrets)}.`,
    ),
    remediation:
      'content.level, filter and redact say what stays here; "openclaw influxion preview" shows what would be sent.',
  };
}

function plainHttp({ apiUrl }: Config): Finding[] {
  if (!apiUrl.startsWith("http:") || isLoopbackUrl(apiUrl)) return [];
  const finding: Finding = {
    checkId: "influxion.plain_http",
    severity: "critical",
    title: "Session transcripts and the API key are sent unencrypted",
    detail: plain(`apiUrl is ${new URL(apiUrl).origin}: everyone on the way can read both.`),
    remediation: "Use an https address, and remove allowInsecureHttp.",
  };
  return [finding];
}

function unmatchedFilters(patterns: readonly string[]): Finding {
  const more = patterns.length > NAMED ? `, and ${patterns.length - NAMED} more` : "";
  return {
    checkId: "influxion.filter_unmatched",
    severity: "warn",
    title: "Filters of Influxion match nothing",
    detail: plain(
      `Sessions may be sent that were meant to stay: ${patterns.slice(0, NAMED).join(", ")}${more}.`,
    ),
    remediation: 'Correct the patterns; "openclaw influxion status" names those without effect.',
  };
}
