// node idle.ts PORT: opens connections that make one request each and then keep quiet.
// A number on standard input opens so many more and is answered with how many are open; the end of input ends it.
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ResponseReader } from './response-reader.ts';

const port = Number(process.argv[2]);
/** Opened at a time: not so many that the queue of the listener overflows. */
const AT_ONCE = 100;

const open = new Set<Socket>();

function openOne(): Promise<void> {
  return new Promise((resolve) => {
    const reader = new ResponseReader();
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    });
    socket.on('data', (chunk) => {
      if (reader.take(chunk) === undefined) return;
      open.add(socket);
      resolve();
    });
    socket
      .on('error', () => resolve())
      .on('close', () => {
        open.delete(socket);
        resolve();
      });
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  for (let missing = Number(line); missing > 0; missing -= AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, missing) }, openOne));
  }
  console.log(open.size);
}
process.exit();
