// node origin.ts PORT HOST…: an origin on raw sockets that is done with a request when it has all of it, as nginx with
// `return` is not. GET / and every body that comes in get 36 bytes, GET /large gets 10 MB, and WebSockets are echoed.
import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { LARGE_BYTES, SMALL_BODY } from './bodies.ts';

const [port, ...hosts] = process.argv.slice(2);
const SMALL = response(SMALL_BODY.length, SMALL_BODY);
const LARGE = Buffer.concat([Buffer.from(response(LARGE_BYTES, '')), Buffer.alloc(LARGE_BYTES, 'x')]);
/** RFC 6455 section 1.3. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

function response(length: number, body: string): string {
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: keep-alive';
  return `${head}\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

for (const host of hosts) createServer({ noDelay: true }, serve).listen(Number(port), host, 4096);

function serve(socket: Socket): void {
  /** Bytes of a head that is not complete yet, and of a body that is still to come. */
  let pending = '';
  let body = 0;
  let answer: string | Buffer = SMALL;
  const take = (chunk: Buffer) => {
    let rest = chunk;
    while (rest.length > 0) {
      if (body > 0) {
        const part = Math.min(body, rest.length);
        body -= part;
        rest = rest.subarray(part);
      } else {
        const before = pending.length;
        pending += rest.toString('latin1');
        const end = pending.indexOf('\r\n\r\n');
        if (end === -1) return;
        const head = pending.slice(0, end + 2);
        pending = '';
        rest = rest.subarray(end + 4 - before);
        const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)?.[1];
        if (key !== undefined) return upgrade(socket, key, take);
        answer = head.startsWith('GET /large') ? LARGE : SMALL;
        body = head.startsWith('GET') ? 0 : Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      }
      if (body === 0) socket.write(answer);
    }
  };
  socket.on('data', take);
  // A proxy that ends while it is being loaded is nothing to say a word about.
  socket.on('error', () => {});
}

function upgrade(socket: Socket, key: string, before: (chunk: Buffer) => void): void {
  const accept = createHash('sha1')
    .update(key + WEBSOCKET_GUID)
    .digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.off('data', before);
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let length = frameLength(pending); length !== undefined; length = frameLength(pending)) {
      socket.write(echoOf(pending.subarray(0, length)));
      pending = pending.subarray(length);
    }
  });
}

/** Length of the first frame, if all of it is there. Only short masked ones come here: 2 + 4 bytes and a payload. */
function frameLength(bytes: Buffer): number | undefined {
  const length = 6 + ((bytes[1] ?? 0) & 0x7f);
  return bytes.length >= length ? length : undefined;
}

function echoOf(frame: Buffer): Buffer {
  const echo = Buffer.alloc(frame.length - 4);
  echo[0] = frame[0] ?? 0;
  echo[1] = (frame[1] ?? 0) & 0x7f;
  for (let i = 6; i < frame.length; i++) echo[i - 4] = (frame[i] ?? 0) ^ (frame[2 + ((i - 6) % 4)] ?? 0);
  return echo;
}
