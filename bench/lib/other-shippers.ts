import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** What to ship, where to, and a folder for the program's own files. */
export interface Shipment {
  readonly transcript: string;
  readonly url: string;
  readonly dir: string;
}

export interface Shipper {
  readonly name: string;
  /** Commands that must be on the PATH. */
  readonly needs: readonly string[];
  /** Whether it does the same work, so that ours should take no more. */
  readonly isEqual: boolean;
  /** A command line that ends when everything was sent. */
  command(shipment: Shipment): string;
}

/** Makes the same envelope of every line. */
const JQ =
  '{deploymentId:"d",projectId:"p",agentId:"main",agentName:"main",sessionId:"s",sessionFile:"f",lineIndex:(input_line_number-1),capturedAt:"2026-01-03T00:00:00.000Z",payload:.}';

const PIPELINE: Shipper = {
  name: "jq | gzip | curl",
  needs: ["jq", "gzip", "curl"],
  isEqual: true,
  command: ({ transcript, url }) =>
    `jq -c '${JQ}' '${transcript}' | gzip -6 | curl -sS -o /dev/null -X POST -T - -H 'Content-Encoding: gzip' '${url}/pipeline'`,
};

const FLUENT_BIT: Shipper = {
  name: "Fluent Bit",
  needs: ["fluent-bit"],
  isEqual: true,
  command({ transcript, url, dir }) {
    const parsers = join(dir, "parsers.conf");
    const config = join(dir, "fluent-bit.conf");
    writeFileSync(parsers, "[PARSER]\n    Name json\n    Format json\n");
    writeFileSync(config, fluentBitConfig(transcript, parsers, new URL(url)));
    return `fluent-bit -q -c '${config}'`;
  },
};

function fluentBitConfig(transcript: string, parsers: string, { hostname, port }: URL): string {
  return `[SERVICE]
    Flush 1
    Parsers_File ${parsers}
[INPUT]
    Name tail
    Path ${transcript}
    Parser json
    Read_from_Head true
    Exit_On_Eof true
    Buffer_Chunk_Size 1MB
    Buffer_Max_Size 16MB
    Mem_Buf_Limit 32MB
[OUTPUT]
    Name http
    Match *
    Host ${hostname}
    Port ${port}
    URI /fluent-bit
    Format json_lines
    Compress gzip
`;
}

/**
 * It has no compression in its http destination (3.38), which is most of what the others do: a floor, not a rival. It
 * follows a file for ever, so it is stopped once its own counter says that every line was sent.
 */
const SYSLOG_NG: Shipper = {
  name: "syslog-ng, not compressed",
  needs: ["syslog-ng", "syslog-ng-ctl"],
  isEqual: false,
  command({ transcript, url, dir }) {
    const of = (name: string): string => join(dir, `syslog-ng.${name}`);
    writeFileSync(of("conf"), syslogNgConfig(transcript, url));
    return [
      `lines=$(wc -l < '${transcript}'); rm -f '${of("persist")}'`,
      `{ syslog-ng --foreground --no-caps -f '${of("conf")}' -R '${of("persist")}' -c '${of("ctl")}' -p '${of("pid")}' & }`,
      `until syslog-ng-ctl stats -c '${of("ctl")}' 2>/dev/null | grep -q "^dst.http.*;written;$lines$"; do sleep 0.1; done`,
      `kill "$(cat '${of("pid")}')"; wait`,
    ].join("; ");
  },
};

function syslogNgConfig(transcript: string, url: string): string {
  const envelope = '{"deploymentId":"d","projectId":"p","agentId":"main","payload":$MSG}';
  return `@version: 3.38
options { stats-level(1); log-msg-size(16777216); };
source transcript {
  file("${transcript}" read-old-records(yes) flags(no-parse) log-iw-size(1000) log-fetch-limit(1000));
};
destination api {
  http(url("${url}/syslog-ng") method("POST") body(${JSON.stringify(envelope)})
       batch-lines(100) batch-bytes(1048576) batch-timeout(100));
};
log { source(transcript); destination(api); flags(flow-control); };
`;
}

export const OTHER_SHIPPERS: readonly Shipper[] = [PIPELINE, FLUENT_BIT, SYSLOG_NG];
