// What of Node every Gateway has loaded long before a plugin does anything. A bare process
// has not, and node:crypto alone takes it 10 ms, which no plugin adds to a Gateway.
import "node:crypto";
import "node:fs/promises";
import "node:http";
import "node:timers/promises";
import "node:worker_threads";
