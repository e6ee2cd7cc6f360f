/**
 * A thread of clients that connect, say so in shared memory, send a request each and post how many were answered.
 * `workerData`: `{ port, clients, connected: Int32Array }`.
 */
import { connect, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

interface Order {
  readonly port: number;
  readonly clients: number;
  readonly connected: Int32Array;
}

const { port, clients, connected } = workerData as Order;

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

async function answered(socket: Socket): Promise<boolean> {
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes;
  });
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  return text.startsWith('HTTP/1.1 200');
}

const sockets = await Promise.all(Array.from({ length: clients }, open));
const answers = sockets.map(answered);
Atomics.store(connected, 0, 1);
Atomics.notify(connected, 0);
parentPort?.postMessage((await Promise.all(answers)).filter(Boolean).length);
