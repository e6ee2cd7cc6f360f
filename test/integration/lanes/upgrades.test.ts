import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { VaneError } from '../../../src/core/errors.ts';
import { eventually } from '../../helpers/eventually.ts';
import { values } from '../../helpers/raw-http.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const HANDSHAKE =
  'GET /chat HTTP/1.1\r\nHost: w\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n' +
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n';
const SWITCH =
  'HTTP/1.1 101 Welcome\r\nUPGRADE: websocket\r\nConnection: Upgrade\r\nX-Own: 1\r\nx-own: 2\r\n\r\n';
/** A close frame with the code 1001. */
const GOING_AWAY = '\x88\x02\x03\xe9';

describeLanes('upgrades to WebSocket', (kind) => {
  test('messages go both ways, and the end is no error', async () => {
    const { host, port, server } = await startRig(kind);
    const echoes = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(echoes, 'listening');
    onTestFinished(() => void echoes.close());
    server.update({ ...server.snapshot, port: (echoes.address() as AddressInfo).port });
    echoes.on('connection', (socket) =>
      socket.on('message', (data, binary) => socket.send(data, { binary })),
    );
    const ws = new WebSocket(`${kind.tls ? 'wss' : 'ws'}://127.0.0.1:${port}/chat?x=1`, {
      rejectUnauthorized: false,
    });
    await once(ws, 'open');
    const big = Buffer.alloc(1_000_000, 'z');
    for (const message of [Buffer.from('hello'), big]) {
      ws.send(message);
      const [echo] = (await once(ws, 'message')) as [Buffer];
      expect(echo.equals(message)).toBe(true);
    }
    expect(host.outcomes).toEqual([]);
    ws.close(1000, 'bye');
    const [code] = await once(ws, 'close');
    expect(code).toBe(1000);
    await eventually(() => expect(host.outcomes).toHaveLength(1));
    expect(host.outcomes[0]).toMatchObject({
      error: undefined,
      status: 101,
      phase: 'data',
      responseStarted: true,
    });
    expect(host.outcomes[0]?.bytesFromServer).toBeGreaterThan(big.length);
    expect(host.outcomes[0]?.bytesToServer).toBeGreaterThan(big.length);
    expect(host.exchanges[0]?.head.upgrade).toBe(true);
    expect(host.exchanges[0]?.bytesIn).toBeGreaterThan(big.length);
    expect(host.exchanges[0]?.bytesOut).toBeGreaterThan(big.length);
    expect(host.aborts).toEqual([]);
  });

  test('the server’s head reaches the client as it is, and so does what each side says behind its head', async () => {
    const { client, origin, host, server } = await startRig(kind);
    const heads: string[] = [];
    origin.onHead = (_connection, head) => heads.push(head);
    origin.answers(`${SWITCH}first`);
    const c = await client();
    c.send(`${HANDSHAKE}early`);
    await eventually(() => expect(c.received).toBe(`${SWITCH}first`));
    expect(heads).toEqual([
      'GET /chat HTTP/1.1\r\nHost: w\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n' +
        'Sec-WebSocket-Version: 13\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    ]);
    const [connection] = origin.connections;
    await eventually(() => expect(connection?.pending()).toBe('early'));
    c.send('later');
    await eventually(() => expect(connection?.pending()).toBe('earlylater'));
    connection?.send('more');
    await eventually(() => expect(c.received).toBe(`${SWITCH}firstmore`));
    c.socket.end();
    await eventually(() => expect(c.closed).toBe(true));
    await eventually(() => expect(host.outcomes).toMatchObject([{ error: undefined, status: 101 }]));
    expect(server.counters()).toMatchObject({ idleConnections: 0, usedConnections: 0 });
    expect(host.aborts).toEqual([]);
  });

  test('what an answer is given for its client, a cookie for one, goes out with a 101 too', async () => {
    const { client, origin, host } = await startRig(kind);
    origin.answers(SWITCH);
    host.edit = (headers) => [...headers, 'Set-Cookie', 'SRV=a; path=/'];
    const c = await client();
    c.send(HANDSHAKE);
    const edited = SWITCH.replace(/\r\n\r\n$/, '\r\nSet-Cookie: SRV=a; path=/\r\n\r\n');
    await eventually(() => expect(c.received).toBe(edited));
  });

  test('behind pipelined requests', async () => {
    const { client, origin } = await startRig(kind);
    origin.onRequest = ({ send }, { line }) =>
      send(line.includes('chat') ? SWITCH : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const c = await client();
    c.send(`GET /a HTTP/1.1\r\nHost: w\r\n\r\nGET /b HTTP/1.1\r\nHost: w\r\n\r\n${HANDSHAKE}early`);
    for (let i = 0; i < 2; i++) expect((await c.answer()).body).toBe('ok');
    await eventually(() => expect(c.received).toBe(SWITCH));
    await eventually(() => expect(origin.connections[0]?.pending()).toBe('early'));
  });

  test.each([
    ['HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno', 'content-length'],
    ['HTTP/1.1 426 Nope\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n', 'transfer-encoding'],
  ])('a server that does not switch: its answer, and the end (%j)', async (text, framing) => {
    const { client, origin, host } = await startRig(kind);
    origin.answers(text);
    const c = await client();
    c.send(`${HANDSHAKE}GET /smuggled HTTP/1.1\r\nHost: w\r\n\r\n`);
    const answer = await c.answer();
    expect(answer.line).toBe(text.split('\r\n')[0]);
    expect(answer.body).toBe('no');
    expect(values(answer, framing)).toHaveLength(1);
    expect(values(answer, 'connection')).toEqual(['close']);
    await c.gone();
    expect(c.error).toBeUndefined();
    expect(origin.requests).toHaveLength(1);
    expect(host.outcomes).toMatchObject([{ error: undefined }]);
  });

  test('a long answer of a server that does not switch is read only as the client takes it', async () => {
    const { client, origin } = await startRig(kind);
    const length = 20_000_000;
    origin.onRequest = ({ send, socket }) => {
      send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
      socket.write(Buffer.alloc(length, 'y'));
    };
    const c = await client();
    c.socket.pause();
    c.send(HANDSHAKE);
    await eventually(() => expect(origin.requests).toHaveLength(1));
    c.socket.resume();
    await eventually(() => expect(c.received.length).toBeGreaterThan(length), 20_000);
    expect((await c.answer()).body.length).toBe(length);
  });

  test('a server that switches to something else is not believed', async () => {
    const { client, origin, host } = await startRig(kind);
    origin.answers('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n');
    const c = await client();
    c.send(HANDSHAKE);
    expect((await c.answer()).line).toBe('HTTP/1.1 502 Bad Gateway');
    expect(host.outcomes).toMatchObject([{ error: { code: 'UPSTREAM_PROTOCOL' }, responseStarted: false }]);
  });

  test('an answer of our own', async () => {
    const { client, host } = await startRig(kind);
    host.onExchange = (exchange) => exchange.respond({ status: 403, headers: [], body: 'no', close: false });
    const c = await client();
    c.send(HANDSHAKE);
    expect((await c.answer()).body).toBe('no');
    await c.gone();
  });

  test('a handshake that is not understood alike by all is refused', async () => {
    const { client, host, origin } = await startRig(kind);
    const c = await client();
    c.send(HANDSHAKE.replace('Host: w\r\n', 'Host: w\r\nHost: v\r\n'));
    expect((await c.answer()).line).toBe('HTTP/1.1 400 Bad Request');
    await c.gone();
    expect(host.refusals).toMatchObject([{ status: 400, error: { code: 'REQUEST_INVALID' } }]);
    expect(origin.connections).toEqual([]);
  });

  test('a client that leaves while its handshake waits is noticed', async () => {
    const { client, host } = await startRig(kind);
    host.onExchange = () => {};
    const c = await client();
    c.send(`${HANDSHAKE}early`);
    await eventually(() => expect(host.exchanges).toHaveLength(1));
    c.socket.resetAndDestroy();
    await eventually(() => expect(host.aborts).toMatchObject([{ code: 'CLIENT_ABORTED' }]));
  });

  test('a tunnel can be called off', async () => {
    const { client, host, origin } = await startRig(kind);
    origin.answers(SWITCH);
    const c = await client();
    c.send(HANDSHAKE);
    await eventually(() => expect(c.received).toBe(SWITCH));
    const reason = new VaneError('SERVER_REMOVED', 'gone');
    host.attempts[0]?.cancel?.(reason);
    await eventually(() => expect(c.ended).toBe(true));
    expect(c.received).toBe(SWITCH + GOING_AWAY);
    expect(c.error).toBeUndefined();
    await eventually(() => expect(origin.connections[0]?.pending()).toMatch(/^\x88\x82/));
    await eventually(() => expect(host.outcomes).toMatchObject([{ error: reason, status: 101 }]));
  });

  test('a tunnel ends with its lane', async () => {
    const { client, host, origin, lane } = await startRig(kind);
    origin.answers(SWITCH);
    const c = await client();
    c.send(HANDSHAKE);
    await eventually(() => expect(c.received).toBe(SWITCH));
    const reason = new VaneError('STOPPING', 'stop');
    lane.destroy(reason);
    await eventually(() => expect(c.ended).toBe(true));
    expect(c.received).toBe(SWITCH + GOING_AWAY);
    expect(c.error).toBeUndefined();
    await eventually(() => expect(host.outcomes).toMatchObject([{ error: reason }]));
    expect(host.aborts).toEqual([reason]);
  });

  test('a tunnel that is silent for too long is ended', async () => {
    const { client, host, origin } = await startRig(kind);
    host.attemptTimeout = { connect: 5_000, server: 60_000, tunnel: 150 };
    origin.answers(SWITCH);
    const c = await client();
    c.send(HANDSHAKE);
    await eventually(() => expect(c.ended).toBe(true));
    await eventually(() => expect(host.outcomes).toHaveLength(1));
    expect(host.outcomes[0]?.error?.code).toMatch(/_TIMEOUT$/);
  });

  test('a server that breaks a tunnel off', async () => {
    const { client, host, origin } = await startRig(kind);
    origin.answers(SWITCH);
    const c = await client();
    c.send(HANDSHAKE);
    await eventually(() => expect(c.received).toBe(SWITCH));
    origin.connections[0]?.socket.resetAndDestroy();
    await c.cut();
    await eventually(() => expect(host.outcomes).toMatchObject([{ error: { code: 'UPSTREAM_CLOSED' } }]));
  });
});
