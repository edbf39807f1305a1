// Loaded into a host with `--import`: writes down every place it connects to, one JSON a line,
// whichever library does it, to the file named by CONNECTS_FILE.
import { appendFileSync } from "node:fs";
import net from "node:net";

const { connect } = net.Socket.prototype;

net.Socket.prototype.connect = function (...args) {
  // Node's own callers pass the arguments normalised, in one array.
  const [options, hostName] = Array.isArray(args[0]) ? args[0] : args;
  const { host, port, path } =
    typeof options === "object" ? options : { host: hostName, port: options };
  appendFileSync(process.env.CONNECTS_FILE, `${JSON.stringify({ host, port, path })}\n`);
  return connect.apply(this, args);
};
