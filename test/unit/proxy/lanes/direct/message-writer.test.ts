import { type AddressInfo, createServer, connect as open, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { MessageWriter } from '../../../../../src/proxy/lanes/direct/message-writer.ts';
import { type LineUser, ServerLine } from '../../../../../src/proxy/lanes/direct/server-line.ts';
import { eventually } from '../../../../helpers/eventually.ts';

let server: Server;
const accepted: Socket[] = [];

beforeAll(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  for (const socket of accepted) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** A connection, and its other end with all that has come there. */
async function pair() {
  const { port } = server.address() as AddressInfo;
  const socket = open({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await new Promise((resolve) => socket.once('connect', resolve));
  const other = await eventually(() => {
    const made = accepted.find(({ remotePort }) => remotePort === socket.localPort);
    if (!made) throw new Error('not accepted yet');
    return made;
  });
  let received = '';
  other.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1');
  });
  onTestFinished(() => {
    socket.destroy();
    other.destroy();
  });
  return { socket, other, received: () => received, writer: new MessageWriter(socket) };
}

const BODY = Buffer.from('body');

describe('what is written to connections', () => {
  test('goes out at the end of the turn if it is short', async () => {
    const { socket, received, writer } = await pair();
    await nextTurn();
    writer.begin('head\r\n\r\n', false);
    writer.write(BODY, 0, BODY.length, true);
    expect(writer.bytes).toBe(12);
    expect([socket.bytesWritten, writer.unsent, writer.flushed]).toEqual([0, true, true]);
    await nextTurn();
    expect([socket.bytesWritten, writer.unsent]).toEqual([12, false]);
    await eventually(() => expect(received()).toBe('head\r\n\r\nbody'));
  });

  test('goes out at once when enough others have something to say', async () => {
    const pairs = await Promise.all(Array.from({ length: 64 }, pair));
    await nextTurn();
    for (const { writer } of pairs) {
      expect(pairs.every(({ socket }) => socket.bytesWritten === 0)).toBe(true);
      writer.begin('x', false);
      writer.writeHead();
    }
    expect(pairs.every(({ socket }) => socket.bytesWritten === 1)).toBe(true);
  });

  test('keeps its order, whatever is short, long or urgent', async () => {
    const { received, writer } = await pair();
    const long = Buffer.alloc(100_000, 'l');
    writer.begin('a', true);
    writer.write(BODY, 0, 1, false);
    writer.write(BODY, 1, 2, false);
    writer.writeText('urgent');
    writer.write(BODY, 2, 3, false);
    writer.write(long, 0, long.length, false);
    writer.write(BODY, 3, 4, true, ['T', '1']);
    const { promise, resolve } = Promise.withResolvers<void>();
    writer.onFlushed(resolve);
    await promise;
    const text = `a1\r\nb\r\n1\r\no\r\nurgent1\r\nd\r\n186a0\r\n${long}\r\n1\r\ny\r\n0\r\nT: 1\r\n\r\n`;
    await eventually(() => expect(received()).toHaveLength(text.length));
    expect(received() === text).toBe(true);
    expect(writer.bytes).toBe(text.length);
  });

  test('is not lost when the connection is cut right behind it', async () => {
    const { socket, received, writer } = await pair();
    writer.begin('said', false);
    writer.writeHead();
    writer.cut();
    expect(socket.bytesWritten).toBe(4);
    await eventually(() => expect(received()).toBe('said'));
  });

  test('concerns nobody when the connection is gone before', async () => {
    const { socket, writer } = await pair();
    await nextTurn();
    writer.begin('said', false);
    writer.writeHead();
    socket.destroy();
    await nextTurn();
    expect([socket.bytesWritten, socket.errored]).toEqual([0, null]);
  });

  test('shows at once that a connection is full', async () => {
    const { socket, other, writer } = await pair();
    other.pause();
    const long = Buffer.alloc(1_000_000);
    while (!writer.full) writer.write(long, 0, long.length, false);
    const { writableLength } = socket;
    writer.write(BODY, 0, BODY.length, true);
    expect([socket.writableLength, writer.flushed]).toEqual([writableLength + BODY.length, false]);
  });
});

test('what a server says before its request has gone out is no answer', async () => {
  const { socket, other, received } = await pair();
  const told: string[] = [];
  const user: LineUser = {
    onData: (bytes) => told.push(`data ${bytes}`),
    onBroken: (why) => told.push(`broken: ${why}`),
    onEnd: () => told.push('end'),
    onDrain: () => {},
  };
  const line = ServerLine.of(socket);
  // From here on the socket is read before what is written now goes out.
  await nextTurn();
  other.write('HTTP/1.1 200 OK\r\n\r\n');
  line.begin(user);
  line.out.begin('GET / HTTP/1.1\r\n\r\n', false);
  line.out.writeHead();
  await eventually(() => expect(told).toEqual(['broken: it spoke before it was asked']));
  await eventually(() => expect(received()).toBe('GET / HTTP/1.1\r\n\r\n'));
  other.write('answer');
  await eventually(() => expect(told.slice(1)).toEqual(['data answer']));
});
