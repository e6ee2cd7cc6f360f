// Preloaded into `vane run`: tells over a socket how late its event loop has been and what it has used since the last
// time it was asked.
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

/** Timers are looked at this often, and this much of what is measured is no delay. */
const RESOLUTION_MS = 10;

if (isMainThread && process.env.BENCH_GAUGE !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const ms = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  let before = process.cpuUsage();
  let since = performance.now();
  delays.enable();
  const server = createServer((socket) => {
    const { user, system } = process.cpuUsage(before);
    const { rss, heapUsed } = process.memoryUsage();
    socket.on('error', () => socket.destroy());
    socket.end(
      JSON.stringify({
        seconds: (performance.now() - since) / 1000,
        cpuSeconds: (user + system) / 1e6,
        p50Ms: ms(delays.percentile(50)),
        p99Ms: ms(delays.percentile(99)),
        maxMs: ms(delays.max),
        rssBytes: rss,
        heapBytes: heapUsed,
      }),
    );
    delays.reset();
    before = process.cpuUsage();
    since = performance.now();
  });
  server.listen(process.env.BENCH_GAUGE);
  server.unref();
}
