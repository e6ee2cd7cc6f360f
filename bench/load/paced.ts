// node paced.ts PORT CONNECTIONS SECONDS RATE: GET requests at a rate that does not depend on the answers (open loop).
// A request whose turn has come but for which every connection is busy waits, and the wait counts as its latency.
// Rate 0: as many as the connections carry (closed loop).
// Latencies count from half a second on, when the generator itself has warmed up.
import { connect, type Socket } from 'node:net';
import { Histogram } from './histogram.ts';
import { ResponseReader } from './response-reader.ts';
import type { LoadResult } from './result.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
const WARM_UP_MS = 500;
const [port = 0, connections = 0, seconds = 0, rate = 0] = process.argv.slice(2).map(Number);

const histogram = new Histogram();
let warm = false;
let done = 0;
const idle: Connection[] = [];
/** Times at which requests that wait for a connection were due, oldest first from `head` on. */
const due: number[] = [];
let head = 0;
let errors = 0;
let asked = 0;
let over = false;

interface Connection {
  readonly socket: Socket;
  /** When the request that is under way was due. */
  since: number;
}

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const reader = new ResponseReader();
    const buffer = Buffer.allocUnsafeSlow(16_384);
    const onread = {
      buffer,
      callback: (length: number) => {
        const good = reader.take(buffer.subarray(0, length));
        if (good !== undefined) answered(connection, good);
        return true;
      },
    };
    const socket = connect({ host: '127.0.0.1', port, noDelay: true, onread }, resolve);
    const connection: Connection = { socket, since: 0 };
    socket.on('error', reject).on('close', () => {
      if (!over) errors++;
    });
    idle.push(connection);
  });
}

function answered(connection: Connection, good: boolean): void {
  const now = performance.now();
  if (over) return;
  if (good) done++;
  else errors++;
  if (good && warm) histogram.add(now - connection.since);
  const next = rate === 0 ? now : due[head];
  if (next === undefined) {
    idle.push(connection);
    return;
  }
  if (rate !== 0) head++;
  send(connection, next);
}

function send(connection: Connection, since: number): void {
  connection.since = since;
  connection.socket.write(REQUEST);
}

/** Sends what has become due since the start; the generator's own lateness is not the proxy's. */
function tick(start: number): void {
  const now = performance.now();
  const target = Math.floor(((now - start) / 1000) * rate);
  for (; asked < target; asked++) {
    const connection = idle.pop();
    if (connection === undefined) due.push(now);
    else send(connection, now);
  }
}

await Promise.all(Array.from({ length: connections }, open));
const start = performance.now();
const timer = rate === 0 ? undefined : setInterval(tick, 1, start);
if (rate === 0) for (const connection of idle.splice(0)) send(connection, start);
setTimeout(() => {
  warm = true;
}, WARM_UP_MS);
setTimeout(
  () => {
    over = true;
    clearInterval(timer);
    const result: LoadResult = {
      done,
      seconds: (performance.now() - start) / 1000,
      p50Ms: histogram.percentile(0.5),
      p99Ms: histogram.percentile(0.99),
      errors,
      wantedPerSecond: rate,
    };
    process.stdout.write(JSON.stringify(result), () => process.exit());
  },
  WARM_UP_MS + seconds * 1000,
);
