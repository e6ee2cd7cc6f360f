import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { values } from '../../helpers/raw-http.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const GET = 'GET / HTTP/1.1\r\nHost: w\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** Long enough for what must happen before it on a busy machine, short enough to wait for. */
const SHORT = 150;

describeLanes('time limits', (kind) => {
  test('a client that says nothing is sent away without a word', async () => {
    const { client, host } = await startRig(kind);
    host.timeouts.httpRequest = SHORT;
    const c = await client();
    await c.gone();
    expect(c.received).toBe('');
    expect(host.refusals).toEqual([]);
  });

  test.each(['', GET])('a head that does not end in time (behind %j): 408', async (before) => {
    const { client, host } = await startRig(kind);
    host.timeouts.httpRequest = SHORT;
    const c = await client();
    if (before !== '') {
      c.send(before);
      await c.answer();
    }
    c.send('GET / HTTP/1.1\r\nHost: w\r\n');
    const dripping = setInterval(() => c.send('X: 1\r\n'), 20);
    try {
      expect((await c.answer()).line).toBe('HTTP/1.1 408 Request Timeout');
    } finally {
      clearInterval(dripping);
    }
    await c.gone();
    expect(host.refusals).toMatchObject([{ status: 408, error: { code: 'CLIENT_TIMEOUT' } }]);
    expect(host.exchanges).toHaveLength(before === '' ? 0 : 1);
  });

  test('a client that asks nothing further is sent away without a word', async () => {
    const { client, host } = await startRig(kind);
    host.timeouts.httpKeepAlive = SHORT;
    const c = await client();
    c.send(`${GET}\r\n`);
    await c.answer();
    await c.gone();
    expect(c.received).toBe('');
    expect(host.refusals).toEqual([]);
  });

  test('limits that are changed hold from the next wait on', async () => {
    const { client, host } = await startRig(kind);
    host.timeouts.httpKeepAlive = 0;
    const c = await client();
    c.send(GET);
    await c.answer();
    host.timeouts.httpKeepAlive = SHORT;
    c.send(GET);
    await c.answer();
    await c.gone();
  });

  test('nothing of the client is timed while its request waits', async () => {
    const { client, host } = await startRig(kind);
    host.timeouts = { client: SHORT, httpRequest: SHORT, httpKeepAlive: SHORT };
    let begin = () => {};
    host.onExchange = (exchange) => {
      begin = () => void host.serve(exchange);
    };
    const c = await client();
    c.send(`${POST}abcde`);
    await pass(3 * SHORT);
    expect(c.ended).toBe(false);
    begin();
    expect((await c.answer()).body).toBe('ok');
  });

  test('a server that does not answer: 504', async () => {
    const { client, host, origin } = await startRig(kind);
    host.attemptTimeout.server = SHORT;
    origin.onRequest = () => {};
    const c = await client();
    c.send(GET);
    expect((await c.answer()).line).toBe('HTTP/1.1 504 Gateway Timeout');
    expect(host.outcomes).toMatchObject([
      { error: { code: 'UPSTREAM_TIMEOUT' }, phase: 'headers', responseStarted: false },
    ]);
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
    origin.answers(OK);
    c.send(GET);
    expect((await c.answer()).body).toBe('ok');
  });

  test('a server whose head drips in: 504, however long it could go on', async () => {
    const { client, host, origin } = await startRig(kind);
    host.attemptTimeout.server = 2 * SHORT;
    let dripping: NodeJS.Timeout | undefined;
    origin.onRequest = ({ send }) => {
      send('HTTP/1.1 200 OK\r\n');
      dripping = setInterval(() => send('X: 1\r\n'), 20);
    };
    const c = await client();
    c.send(GET);
    try {
      expect((await c.answer()).line).toBe('HTTP/1.1 504 Gateway Timeout');
    } finally {
      clearInterval(dripping);
    }
    expect(host.outcomes).toMatchObject([
      { error: { code: 'UPSTREAM_TIMEOUT' }, phase: 'headers', responseStarted: false },
    ]);
  });

  test('a server that sends interim answers is waited for anew after each', async () => {
    const { client, host, origin } = await startRig(kind);
    host.attemptTimeout.server = 4 * SHORT;
    origin.onRequest = async ({ send }) => {
      for (let i = 0; i < 5; i++) {
        await pass(SHORT);
        send('HTTP/1.1 102 Processing\r\n\r\n');
      }
      await pass(SHORT);
      send(OK);
    };
    const c = await client();
    c.send(GET);
    await eventually(() => expect(c.received).toContain('\r\n\r\nok'));
    expect(host.outcomes).toMatchObject([{ error: undefined, status: 200 }]);
  });

  test('a server that does not take the body: it is blamed, not the client', async () => {
    const { client, host, origin } = await startRig(kind);
    host.attemptTimeout.server = SHORT;
    host.timeouts.client = 60_000;
    origin.onHead = ({ socket }) => socket.pause();
    const c = await client();
    c.send('POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 20000000\r\n\r\n');
    c.socket.write(Buffer.alloc(20_000_000));
    expect((await c.answer()).line).toBe('HTTP/1.1 504 Gateway Timeout');
    expect(host.outcomes).toMatchObject([{ error: { code: 'UPSTREAM_TIMEOUT' }, phase: 'request' }]);
  });

  test('a server that stops in the middle of its answer: the client sees it broken', async () => {
    const { client, host, origin } = await startRig(kind);
    host.attemptTimeout.server = SHORT;
    host.timeouts.client = 60_000;
    origin.answers('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    const c = await client();
    c.send(GET);
    await c.cut();
    expect(c.received).toContain('half');
    expect(host.outcomes).toMatchObject([
      { error: { code: 'UPSTREAM_TIMEOUT' }, phase: 'data', responseStarted: true },
    ]);
  });

  test('a server that is slow, but says something now and then, is waited for', async () => {
    const { client, host, origin } = await startRig(kind);
    host.attemptTimeout.server = 4 * SHORT;
    host.timeouts.client = SHORT;
    origin.onRequest = async ({ send }) => {
      send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n');
      for (const letter of 'slowly') {
        await pass(SHORT);
        send(letter);
      }
    };
    const c = await client();
    c.send(GET);
    expect((await c.answer()).body).toBe('slowly');
  });

  test('a client that stops within its body: 408, and it is blamed, not the server', async () => {
    const { client, host, origin } = await startRig(kind);
    host.timeouts.client = SHORT;
    host.attemptTimeout.server = 60_000;
    const c = await client();
    c.send(`${POST}ab`);
    const answer = await c.answer();
    expect(answer.line).toBe('HTTP/1.1 408 Request Timeout');
    expect(values(answer, 'connection')).toEqual(['close']);
    expect(host.outcomes).toMatchObject([
      { error: { code: 'CLIENT_TIMEOUT' }, phase: 'request', replayable: false },
    ]);
    expect(host.aborts).toMatchObject([{ code: 'CLIENT_TIMEOUT' }]);
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
  });

  test('a client that is slow, but sends something now and then, is waited for', async () => {
    const { client, host } = await startRig(kind);
    host.timeouts.client = 4 * SHORT;
    host.attemptTimeout.server = 4 * SHORT;
    const c = await client();
    c.send(POST);
    for (const letter of 'abcde') {
      await pass(SHORT);
      c.send(letter);
    }
    expect((await c.answer()).body).toBe('ok');
  });

  test('a client that does not take its answer is cut', async () => {
    const { client, host, origin } = await startRig(kind);
    host.timeouts.client = SHORT;
    host.attemptTimeout.server = 60_000;
    origin.onRequest = ({ send, socket }) => {
      send('HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n');
      socket.write(Buffer.alloc(20_000_000, 'y'));
    };
    const c = await client();
    c.socket.pause();
    c.send(GET);
    await eventually(() => expect(host.outcomes).toHaveLength(1));
    expect(host.outcomes).toMatchObject([
      { error: { code: 'CLIENT_TIMEOUT' }, phase: 'data', responseStarted: true },
    ]);
    await eventually(() => expect(origin.connections[0]?.socket.destroyed).toBe(true));
    c.socket.resume();
    await c.cut();
  });

  test('a client that does not take an answer of our own is cut', async () => {
    const { client, host, sockets } = await startRig(kind);
    host.timeouts.client = SHORT;
    host.onExchange = (exchange) =>
      exchange.respond({ status: 200, headers: [], body: 'x'.repeat(20_000_000), close: false });
    const c = await client();
    c.socket.pause();
    c.send(GET);
    await eventually(() => expect(sockets[0]?.destroyed).toBe(true));
  });

  test('0 is no limit', async () => {
    const { client, host, origin } = await startRig(kind);
    host.timeouts = { client: 0, httpRequest: 0, httpKeepAlive: 0 };
    host.attemptTimeout = { connect: 0, server: 0, tunnel: 0 };
    origin.onRequest = async ({ send }) => {
      await pass(SHORT);
      send(OK);
    };
    const c = await client();
    for (const part of [GET.slice(0, 10), GET.slice(10)]) {
      await pass(SHORT);
      c.send(part);
    }
    expect((await c.answer()).body).toBe('ok');
  });
});

/** Time in which nothing is to happen: there is no event to wait for. */
function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
