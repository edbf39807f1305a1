import type { PoolClient } from "pg";

/** A connection that is somebody's until it is given back. */
export class Lease {
  readonly client: PoolClient;
  #returned = false;

  constructor(client: PoolClient) {
    this.client = client;
  }

  release(): void {
    this.#return(false);
  }

  /** Ends the transaction without its changes, and gives the connection back. */
  async rollback(): Promise<void> {
    try {
      await this.client.query("ROLLBACK");
      this.release();
    } catch {
      this.destroy();
    }
  }

  /** Ends the connection, and with it whatever the database was doing on it. */
  destroy(): void {
    this.#return(true);
  }

  #return(broken: boolean): void {
    if (this.#returned) return;
    this.#returned = true;
    this.client.release(broken);
  }
}

/**
 * Commits, and fails unless what was committed is as durable as the database is set up to make it.
 * A warning tells that somebody ended the wait for the synchronous standby.
 */
export async function commit(client: PoolClient): Promise<void> {
  let warned = false;
  const listen = ({ severity }: { severity?: string | undefined }): void => {
    warned ||= severity === "WARNING";
  };
  client.on("notice", listen);
  const { command } = await client.query("COMMIT").finally(() => client.off("notice", listen));
  // The answer of a transaction that had failed before.
  if (command !== "COMMIT") throw new Error("the transaction was rolled back");
  if (warned) throw new Error("the commit was not confirmed by the standby");
}
