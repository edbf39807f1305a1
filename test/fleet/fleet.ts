import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import { compare } from "../soak/conservation.ts";
import { Dice } from "../soak/dice.ts";
import { digestOf, type History } from "../soak/history.ts";
import { query } from "../support/postgres.ts";
import { Balancer } from "./balancer.ts";
import { Cluster } from "./cluster.ts";
import { bytesIn } from "./disk.ts";
import { Gateway, REST_MS } from "./gateway.ts";
import { ReceiverProcess } from "./receivers.ts";

/** Gateways that upload at the same time. */
const CONCURRENCY = 16;
/** Of so many kills, one meets the primary. */
export const KILLS_PER_PRIMARY = 20;
/** Longest time after the last kill until everything has arrived, in ms. */
const LAST_MS = 300_000;

export interface FleetOptions {
  readonly kills: number;
  readonly seed: number;
  readonly gateways: number;
  readonly receivers: number;
  readonly onKill?: (progress: Progress) => void;
}

export interface Progress {
  readonly kills: number;
  /** Parts that were confirmed until now. */
  readonly confirmed: number;
  /** What Gateways, primary and standby have on disk, in bytes; takes a while to find out. */
  readonly disk: () => number;
}

export interface FleetResult {
  /** What must never happen, in words; empty when the soak has passed. */
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** Uploads from many Gateways while receivers and the primary are killed; then lets everything through and counts. */
export async function fleetSoak(options: FleetOptions): Promise<FleetResult> {
  await using fleet = await Fleet.start(options);
  await fleet.kill();
  await fleet.letThrough();
  // Awaited here, because everything ends when this function returns.
  return await fleet.result();
}

class Fleet implements AsyncDisposable {
  readonly #options: FleetOptions;
  readonly #dir: string;
  readonly #dice: Dice;
  readonly #cluster: Cluster;
  readonly #receivers: readonly ReceiverProcess[];
  readonly #balancer: Balancer;
  readonly #gateways: readonly Gateway[];
  readonly #outcomes: Record<string, number> = {};
  readonly #crashes: string[] = [];
  #receiverKills = 0;
  #failOvers = 0;
  #writing = true;

  private constructor(
    options: FleetOptions,
    dir: string,
    parts: { cluster: Cluster; receivers: readonly ReceiverProcess[]; balancer: Balancer },
  ) {
    this.#options = options;
    this.#dir = dir;
    this.#dice = new Dice(options.seed);
    this.#cluster = parts.cluster;
    this.#receivers = parts.receivers;
    this.#balancer = parts.balancer;
    this.#gateways = Array.from(
      { length: options.gateways },
      (_, n) => new Gateway(dir, n, options.seed + 10 * n, parts.balancer.url),
    );
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const dir = await mkdtemp(join(tmpdir(), "influxion-fleet-"));
    const cluster = await Cluster.start();
    const receivers = await Promise.all(
      Array.from({ length: options.receivers }, () => ReceiverProcess.start(cluster.url)),
    );
    const ports = receivers.map(({ port }) => port);
    const balancer = await Balancer.start(ports, new Dice(options.seed + 1));
    return new Fleet(options, dir, { cluster, receivers, balancer });
  }

  /** Kills at random instants, each of which finds parts under way. */
  async kill(): Promise<void> {
    const uploading = this.#uploadAll();
    const { kills, onKill } = this.#options;
    for (let n = 1; n <= kills; n++) {
      await this.#untilConfirmed(this.#dice.int(1, 12));
      await sleep(this.#dice.int(0, 100));
      await this.#killOne(n);
      onKill?.({ kills: n, confirmed: this.#balancer.confirmed, disk: () => this.#disk() });
    }
    this.#writing = false;
    await uploading;
  }

  async #killOne(n: number): Promise<void> {
    if (n % KILLS_PER_PRIMARY === KILLS_PER_PRIMARY / 2) {
      await this.#cluster.failOver();
      this.#failOvers++;
      return;
    }
    this.#dice.pick(this.#receivers).kill();
    this.#receiverKills++;
  }

  #disk(): number {
    return bytesIn(this.#dir, ...this.#cluster.dirs);
  }

  /** Waits until more parts were confirmed; a kill between two of which nothing happened proves nothing. */
  async #untilConfirmed(parts: number): Promise<void> {
    const enough = this.#balancer.confirmed + parts;
    while (this.#balancer.confirmed < enough) await sleep(5);
  }

  /** Every Gateway writes and uploads, in turns, until the last kill. */
  async #uploadAll(): Promise<void> {
    const limit = pLimit(CONCURRENCY);
    const turns = async (gateway: Gateway): Promise<void> => {
      while (this.#writing) {
        await limit(async () => {
          if (!this.#writing) return;
          await gateway.write(8);
          await this.#upload(gateway);
        });
      }
    };
    await Promise.all(this.#gateways.map(turns));
  }

  async #upload(gateway: Gateway): Promise<string> {
    try {
      const outcome = await gateway.upload();
      this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
      return outcome;
    } catch (error) {
      this.#crashes.push(
        `${gateway.deploymentId}: ${error instanceof Error ? error.stack : error}`,
      );
      return "crash";
    }
  }

  /** Nothing is written or killed any more: each Gateway uploads until two runs found nothing. */
  async letThrough(): Promise<void> {
    for (const gateway of this.#gateways) gateway.settle();
    await sleep(2 * REST_MS);
    const limit = pLimit(CONCURRENCY);
    const deadline = performance.now() + LAST_MS;
    let quiet = 0;
    while (quiet < 2) {
      if (performance.now() > deadline)
        throw new Error(`it never comes to an end: ${this.#told()}`);
      const before = this.#balancer.confirmed;
      const outcomes = await Promise.all(
        this.#gateways.map((gateway) => limit(() => this.#upload(gateway))),
      );
      const done = outcomes.every((outcome) => outcome === "done");
      quiet = done && this.#balancer.confirmed === before ? quiet + 1 : 0;
    }
  }

  async result(): Promise<FleetResult> {
    const { seen, confirmed } = this.#balancer;
    const held = await this.#held();
    const lost = this.#gateways.flatMap((gateway) =>
      [...gateway.histories].flatMap(([session, history]) =>
        this.#compare(gateway, session, history, held),
      ),
    );
    const totals = await this.#totals();
    return {
      violations: [
        ...this.#crashes,
        ...this.#receivers.flatMap(({ crashes }) => crashes),
        ...seen.violations,
        ...lost,
        ...(await this.#unequal()),
      ],
      counts: {
        receiverKills: this.#receiverKills,
        failOvers: this.#failOvers,
        ...totals,
        confirmed,
        receiptsCompared: seen.repeats,
        ...Object.fromEntries(
          Object.entries(seen.statuses).map(([status, n]) => [`status${status}`, n]),
        ),
        ...this.#outcomes,
      },
    };
  }

  #compare(
    gateway: Gateway,
    session: string,
    history: History,
    held: ReadonlyMap<string, string[][]>,
  ): string[] {
    const name = `${gateway.deploymentId}/${session}`;
    // An API that has other lines gets all of them again.
    history.slack += this.#balancer.seen.statuses[409] ?? 0;
    return compare(name, history, held.get(name) ?? [], gateway.onDisk(session));
  }

  /** Digests of the lines of each generation, the newest one last, by deployment, agent and session. */
  async #held(): Promise<Map<string, string[][]>> {
    const held = new Map<string, string[][]>();
    for (const { deploymentId } of this.#gateways) {
      const rows = await query(
        this.#cluster.url,
        `SELECT h.deployment || '/' || h.agent || '/' || h.session AS name,
           array_agg(l.payload ORDER BY l.line_index) AS payloads
         FROM influxion.head h JOIN influxion.line l ON l.session_id = h.id
         WHERE h.deployment = '${deploymentId}'
         GROUP BY h.id, l.generation ORDER BY h.id, l.generation`,
      );
      for (const { name, payloads } of rows as { name: string; payloads: string[] }[]) {
        held.set(name, [...(held.get(name) ?? []), payloads.map(digestOf)]);
      }
    }
    return held;
  }

  /** What the parts say and what the lines are must be the same, in each generation. */
  async #unequal(): Promise<string[]> {
    const rows = await query(
      this.#cluster.url,
      `SELECT p.session_id, p.generation, p.lines, p.first, l.lines AS held, l.last
       FROM (SELECT session_id, generation, sum(lines) AS lines, min(first_line) AS first,
         sum(accepted) AS accepted FROM influxion.part GROUP BY 1, 2) p
       LEFT JOIN (SELECT session_id, generation, count(*) AS lines, max(line_index) AS last
         FROM influxion.line GROUP BY 1, 2) l USING (session_id, generation)
       WHERE p.first <> 0 OR p.lines <> l.last + 1 OR p.accepted IS DISTINCT FROM l.lines`,
    );
    return rows.map((row) => `parts and lines differ: ${JSON.stringify(row)}`);
  }

  async #totals(): Promise<Record<string, number>> {
    const [row] = await query(
      this.#cluster.url,
      `SELECT (SELECT count(*) FROM influxion.head)::int AS sessions,
         (SELECT count(DISTINCT (session_id, generation)) FROM influxion.part)::int AS generations,
         (SELECT count(*) FROM influxion.part)::int AS parts,
         (SELECT sum(repeats) FROM influxion.part)::int AS "repeatedParts",
         (SELECT count(*) FROM influxion.line)::int AS lines`,
    );
    return row as Record<string, number>;
  }

  #told(): string {
    return JSON.stringify({ ...this.#outcomes, ...this.#balancer.seen.statuses });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#writing = false;
    await Promise.all(this.#receivers.map((receiver) => receiver.stop()));
    await this.#balancer[Symbol.asyncDispose]();
    await this.#cluster[Symbol.asyncDispose]();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
