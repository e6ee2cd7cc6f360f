// node websocket.ts PORT CONNECTIONS SECONDS: WebSocket connections that each send a message of 64 bytes and wait for
// its echo before they send the next.
import { connect } from 'node:net';
import { Histogram } from './histogram.ts';
import type { LoadResult } from './result.ts';

const [port = 0, connections = 0, seconds = 0] = process.argv.slice(2).map(Number);
const PAYLOAD = 64;
const UPGRADE = [
  'GET /echo HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${Buffer.alloc(16, 1).toString('base64')}`,
  '\r\n',
].join('\r\n');

/** A masked binary frame (RFC 6455 section 5.2) whose mask is zero, and the length of its unmasked echo. */
const FRAME = Buffer.concat([Buffer.from([0x82, 0x80 | PAYLOAD, 0, 0, 0, 0]), Buffer.alloc(PAYLOAD, 'x')]);
const ECHO_LENGTH = 2 + PAYLOAD;

const histogram = new Histogram();
let errors = 0;
let counting = false;

/** Resolves when the connection is upgraded and echoes for the first time. */
function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    let upgraded = false;
    let received = 0;
    let since = 0;
    const send = () => {
      since = performance.now();
      socket.write(FRAME);
    };
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => socket.write(UPGRADE));
    socket.on('data', (chunk) => {
      if (!upgraded) {
        // The origin says nothing before it is spoken to, so this is the head and no more.
        if (chunk[9] !== 0x31) reject(new Error(`No upgrade: ${chunk.toString('latin1', 0, 100)}`));
        upgraded = true;
        send();
        return;
      }
      received += chunk.length;
      if (received < ECHO_LENGTH) return;
      received -= ECHO_LENGTH;
      if (counting) histogram.add(performance.now() - since);
      resolve();
      send();
    });
    socket.on('error', reject).on('close', () => {
      if (counting) errors++;
    });
  });
}

await Promise.all(Array.from({ length: connections }, open));
const start = performance.now();
counting = true;
setTimeout(() => {
  counting = false;
  const result: LoadResult = {
    done: histogram.total,
    seconds: (performance.now() - start) / 1000,
    p50Ms: histogram.percentile(0.5),
    p99Ms: histogram.percentile(0.99),
    errors,
  };
  process.stdout.write(JSON.stringify(result), () => process.exit());
}, seconds * 1000);
