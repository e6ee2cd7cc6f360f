import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { values } from '../../helpers/raw-http.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const post = (more: string) => `POST / HTTP/1.1\r\nHost: w\r\n${more}\r\n`;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describeLanes('bodies on their way', (kind) => {
  test('100 is sent when the body is wanted, once, and the server does not hear of it', async () => {
    const { client, origin, host } = await startRig(kind);
    let begin = () => {};
    host.onExchange = (exchange) => {
      begin = () => void host.serve(exchange);
    };
    const c = await client();
    c.send(post('Expect: 100-continue\r\nContent-Length: 3\r\n'));
    await eventually(() => expect(host.exchanges).toHaveLength(1));
    expect(c.received).toBe('');
    begin();
    expect((await c.answer()).raw).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    c.send('abc');
    const answer = await c.answer();
    expect(answer.body).toBe('ok');
    expect(values(answer, 'connection')).toEqual([]);
    expect(origin.requests[0]?.headers).toEqual([
      'Host',
      'w',
      'Connection',
      'keep-alive',
      'Content-Length',
      '3',
    ]);
  });

  test('nobody asks for a body that is empty, or was never wanted', async () => {
    const { client, host } = await startRig(kind);
    const empty = await client();
    empty.send(post('Expect: 100-continue\r\nContent-Length: 0\r\n'));
    expect((await empty.answer()).body).toBe('ok');
    const c = await client();
    host.onExchange = (exchange) => exchange.respond({ status: 403, headers: [], body: 'no', close: false });
    c.send(post('Expect: 100-continue\r\nContent-Length: 3\r\n'));
    const answer = await c.answer();
    expect(answer.line).toBe('HTTP/1.1 403 Forbidden');
    expect(values(answer, 'connection')).toEqual(['close']);
    await c.gone();
  });

  test('a body is not read before it is wanted', async () => {
    const { client, host, sockets, origin } = await startRig(kind);
    let begin = () => {};
    host.onExchange = (exchange) => {
      begin = () => void host.serve(exchange);
    };
    const length = 20_000_000;
    const c = await client();
    c.send(post(`Content-Length: ${length}\r\n`));
    c.socket.write(Buffer.alloc(length, 'x'));
    await eventually(() => expect(sockets[0]?.bytesRead).toBeGreaterThan(50_000));
    const read = await settled(() => sockets[0]?.bytesRead ?? 0);
    expect(read).toBeLessThan(1_000_000);
    begin();
    expect((await c.answer()).body).toBe('ok');
    expect(origin.requests[0]?.body.length).toBe(length);
  });

  test('while the server takes nothing, little is taken from the client', async () => {
    const { client, origin, sockets } = await startRig(kind);
    const length = 20_000_000;
    origin.onHead = ({ socket }) => socket.pause();
    const c = await client();
    c.send(post(`Content-Length: ${length}\r\n`));
    c.socket.write(Buffer.alloc(length, 'x'));
    await eventually(() => expect(sockets[0]?.bytesRead).toBeGreaterThan(100_000));
    const read = await settled(() => sockets[0]?.bytesRead ?? 0);
    expect(read).toBeLessThan(length - 5_000_000);
    origin.connections[0]?.socket.resume();
    expect((await c.answer()).body).toBe('ok');
    expect(origin.requests[0]?.body.length).toBe(length);
  });

  test('while the client takes nothing, little is taken from the server', async () => {
    const { client, origin, given } = await startRig(kind);
    const length = 20_000_000;
    origin.onRequest = ({ send, socket }) => {
      send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
      socket.write(Buffer.alloc(length, 'y'));
    };
    const c = await client();
    c.socket.pause();
    c.send('GET / HTTP/1.1\r\nHost: w\r\n\r\n');
    await eventually(() => expect(given[0]?.bytesRead).toBeGreaterThan(100_000));
    const read = await settled(() => given[0]?.bytesRead ?? 0);
    expect(read).toBeLessThan(length - 5_000_000);
    c.socket.resume();
    await eventually(() => expect(c.received.length).toBeGreaterThan(length), 20_000);
    expect((await c.answer()).body.length).toBe(length);
  });

  test('an answer that comes early is passed on; both connections are closed behind it', async () => {
    const { client, origin, host, server } = await startRig(kind);
    origin.onHead = ({ send }) => send('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
    const c = await client();
    c.send(post('Content-Length: 10\r\n'));
    c.send('abc');
    const answer = await c.answer();
    expect(answer.line).toBe('HTTP/1.1 413 Too Large');
    expect(answer.body).toBe('no');
    expect(values(answer, 'connection')).toEqual(['close']);
    // What the client still sends is no request.
    c.send('defghijGET / HTTP/1.1\r\nHost: w\r\n\r\n');
    await c.gone();
    expect(c.error).toBeUndefined();
    expect(host.outcomes).toMatchObject([{ error: undefined, status: 413, replayable: false }]);
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
    expect(server.counters()).toMatchObject({ idleConnections: 0, usedConnections: 0 });
    expect(host.exchanges).toHaveLength(1);
  });

  test('an early answer reaches a client that goes on sending', async () => {
    const { client, origin } = await startRig(kind);
    origin.onHead = ({ send, socket }) => {
      socket.pause();
      send('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
    };
    const c = await client();
    c.send(post('Content-Length: 100000000\r\n'));
    const more = setInterval(() => c.socket.write(Buffer.alloc(10_000)), 5);
    try {
      expect((await c.answer()).line).toBe('HTTP/1.1 413 Too Large');
    } finally {
      clearInterval(more);
    }
  });

  test('an answer is whole though the client sends much behind its last request', async () => {
    const { client, origin } = await startRig(kind);
    const body = 'x'.repeat(3_000_000);
    origin.answers(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const c = await client();
    c.socket.pause();
    c.send('GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n');
    c.send('y'.repeat(9_000_000));
    await eventually(() => expect(c.socket.writableLength).toBe(0));
    c.socket.resume();
    expect((await c.answer()).body.length).toBe(body.length);
    await c.gone();
    expect(c.error).toBeUndefined();
  });

  test('an early answer streams while the upload goes on', async () => {
    const { client, origin, host } = await startRig(kind);
    origin.onHead = ({ send }) => send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n');
    origin.onRequest = ({ send }, { body }) => send(`3\r\n${body}\r\n0\r\n\r\n`);
    const c = await client();
    c.send(post('Content-Length: 3\r\n'));
    await eventually(() => expect(c.received).toContain('he'));
    c.send('llo');
    expect((await c.answer()).body).toBe('hello');
    expect(host.outcomes).toMatchObject([{ error: undefined }]);
  });

  test('an answer to a whole request whose last octets are still on the way is not early', async () => {
    const { client, origin } = await startRig(kind);
    origin.answers(OK);
    const c = await client();
    for (let i = 0; i < 20; i++) {
      c.send(post('Content-Length: 100000\r\n') + 'x'.repeat(100_000));
      expect(values(await c.answer(), 'connection')).toEqual([]);
    }
    expect(origin.connections).toHaveLength(1);
  });
});

/** The value of a counter once it has stopped rising. */
async function settled(read: () => number): Promise<number> {
  let last = -1;
  let since = performance.now();
  return eventually(() => {
    const now = read();
    if (now !== last) since = performance.now();
    last = now;
    if (performance.now() - since < 300) throw new Error(`still rising at ${now}`);
    return now;
  }, 15_000);
}
