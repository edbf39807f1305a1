/**
 * A receiver in a process of its own, to be killed: `child.ts <dir> <port>`.
 * Sends its URL to the parent, and its peak memory (in bytes) for each message.
 */
import { built } from "../support/built.ts";
import { KEY } from "./wire.ts";

const { startReceiver } =
  await built<typeof import("../../src/receiver/server.ts")>("receiver/server");

const [dir = "", port = "0"] = process.argv.slice(2);
const receiver = await startReceiver({ dir, key: KEY, port: Number(port) });
process.on("message", () => process.send?.({ peakBytes: process.resourceUsage().maxRSS * 1024 }));
process.on("disconnect", () => process.exit());
process.send?.({ url: receiver.url });
