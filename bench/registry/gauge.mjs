// Preloaded into `vane run`: tells over a socket how late its event loop has been and what it has used since the last
// time it was asked.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

/** Timers are looked at this often, and this much of what is measured is no delay. */
const RESOLUTION_MS = 10;

if (isMainThread && process.env.BENCH_GAUGE !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const ms = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  let before = process.cpuUsage();
  let waitedBefore = waited();
  let since = performance.now();
  delays.enable();
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (asked) => {
      const { user, system } = process.cpuUsage(before);
      const { rss, heapUsed } = process.memoryUsage();
      const told = {
        seconds: (performance.now() - since) / 1000,
        cpuSeconds: (user + system) / 1e6,
        waitedSeconds: waited() - waitedBefore,
        p50Ms: ms(delays.percentile(50)),
        p99Ms: ms(delays.percentile(99)),
        maxMs: ms(delays.max),
        rssBytes: rss,
        heapBytes: heapUsed,
      };
      if (asked.toString() === 'alive') {
        setFlagsFromString('--expose-gc');
        runInNewContext('gc')();
        told.aliveBytes = process.memoryUsage().heapUsed;
      }
      socket.end(JSON.stringify(told));
      delays.reset();
      before = process.cpuUsage();
      waitedBefore = waited();
      since = performance.now();
    });
  });
  server.listen(process.env.BENCH_GAUGE);
  // Its workers are not asked.
  delete process.env.BENCH_GAUGE;
  server.unref();
}

/** Seconds that the event loop's thread was ready to run and had no core (Linux, /proc/PID/schedstat). */
function waited() {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[1]) / 1e9;
  } catch {
    // Elsewhere nobody counts it.
    return 0;
  }
}
