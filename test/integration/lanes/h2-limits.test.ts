import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { askH2, FRAME, FrameClient, follow, literal, openH2 } from '../../helpers/h2-client.ts';
import { GET, H2, MAX_STREAMS } from './h2-rig.ts';
import { startRig } from './lane-rig.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CALM = 11;

test.each([
  ['says nothing', () => {}],
  ['sends a head that has no end', (client: FrameClient) => client.headers(1, GET, 1)],
  ['only asks whether we are there', (client: FrameClient) => client.send(FRAME.ping, 0, 0, Buffer.alloc(8))],
])('a client that %s is sent away in time', async (_what, act) => {
  const rig = await startRig(H2);
  rig.host.timeouts = { client: 10_000, httpRequest: 200, httpKeepAlive: 10_000 };
  const client = await FrameClient.open(rig.port);
  act(client);
  await client.gone();
  expect(rig.host.exchanges).toEqual([]);
});

test('a connection without streams is told to go, and ends', async () => {
  const rig = await startRig(H2);
  rig.host.timeouts = { client: 10_000, httpRequest: 10_000, httpKeepAlive: 200 };
  const client = await FrameClient.open(rig.port);
  client.headers(1, GET);
  await client.gone();
  const told = client.frames.filter(({ type }) => type === FRAME.goaway).map(({ payload }) => payload);
  expect(told[0]?.readUInt32BE(0)).toBe(1);
  expect(told[0]?.readUInt32BE(4)).toBe(0);
  expect(rig.host.outcomes).toMatchObject([{ error: undefined }]);
});

test('a body that nobody wants does not keep its stream open, nor the connection busy', async () => {
  const rig = await startRig(H2);
  rig.host.timeouts = { client: 10_000, httpRequest: 10_000, httpKeepAlive: 200 };
  rig.host.onExchange = (exchange) =>
    exchange.respond({ status: 403, headers: [], body: 'no', close: false });
  const client = await FrameClient.open(rig.port);
  for (let stream = 1; stream < 2 * MAX_STREAMS + 9; stream += 2) {
    client.headers(stream, [':method', 'POST', ...GET.slice(2)], 4);
    client.send(FRAME.data, 1, stream, Buffer.alloc(10_000));
    await eventually(() => expect(client.frames.some((frame) => frame.stream === stream)).toBe(true));
  }
  await client.gone();
  expect(rig.host.exchanges).toHaveLength(MAX_STREAMS + 4);
  expect(client.frames.filter(({ type }) => type === FRAME.reset)).toEqual([]);
});

test('a connection is not idle while the server takes its time', async () => {
  const rig = await startRig(H2);
  rig.host.timeouts = { client: 10_000, httpRequest: 100, httpKeepAlive: 100 };
  rig.origin.onRequest = ({ send }) => void setTimeout(() => send(OK), 500);
  const session = openH2(rig.port);
  expect(await askH2(session, {})).toMatchObject({ status: 200, body: 'ok', code: 0 });
  session.close();
});

test('a client that stops within the body is told so, and its other streams go on', async () => {
  const rig = await startRig(H2);
  rig.host.timeouts = { client: 200, httpRequest: 10_000, httpKeepAlive: 10_000 };
  const session = openH2(rig.port);
  const stream = session.request({ ':method': 'POST' });
  stream.write('abc');
  expect(await follow(stream).closed).toMatchObject({ status: 408, code: 0 });
  expect(rig.host.outcomes).toMatchObject([{ error: { code: 'CLIENT_TIMEOUT' } }]);
  expect(await askH2(session, {})).toMatchObject({ status: 200, code: 0 });
  session.close();
});

test('a client that takes nothing of an answer loses it, and keeps the connection', async () => {
  const rig = await startRig(H2);
  rig.host.timeouts = { client: 300, httpRequest: 10_000, httpKeepAlive: 10_000 };
  rig.origin.onRequest = ({ socket }) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n');
    socket.write(Buffer.alloc(5_000_000));
  };
  const session = openH2(rig.port);
  const slow = session.request({ ':path': '/' });
  slow.on('error', () => {});
  slow.pause();
  const closed = new Promise((resolve) => slow.once('close', () => resolve(slow.rstCode)));
  await eventually(() => expect(rig.host.outcomes).toMatchObject([{ error: { code: 'CLIENT_TIMEOUT' } }]));
  expect(await closed).toBe(2);
  rig.origin.onRequest = ({ send }) => send(OK);
  expect(await askH2(session, {})).toMatchObject({ status: 200, code: 0 });
  session.close();
});

test('a client that takes nothing of an answer of ours loses it', async () => {
  const rig = await startRig(H2);
  rig.host.timeouts = { client: 300, httpRequest: 10_000, httpKeepAlive: 10_000 };
  const body = 'x'.repeat(500_000);
  rig.host.onExchange = (exchange) => exchange.respond({ status: 200, headers: [], body, close: false });
  const session = openH2(rig.port);
  const slow = session.request({ ':path': '/' });
  slow.on('error', () => {});
  slow.pause();
  const closed = new Promise((resolve) => slow.once('close', () => resolve(slow.rstCode)));
  expect(await closed).toBe(2);
  session.close();
});

test('streams beyond the limit are refused, and the others are served', async () => {
  const rig = await startRig(H2);
  rig.origin.onRequest = () => {};
  const client = await FrameClient.open(rig.port);
  for (let i = 0; i <= MAX_STREAMS; i++) client.headers(1 + 2 * i, GET);
  expect(await client.reset(1 + 2 * MAX_STREAMS)).toBe(7);
  await eventually(() => expect(rig.origin.requests).toHaveLength(MAX_STREAMS));
  client.end();
});

test('a head larger than is allowed is refused, and the connection goes on', async () => {
  const rig = await startRig(H2);
  const session = openH2(rig.port);
  const answer = await askH2(session, { 'x-large': 'x'.repeat(20_000) });
  expect(answer.status ?? answer.code).toBeOneOf([CALM, 400, 431]);
  expect(rig.host.exchanges).toEqual([]);
  expect(await askH2(session, {})).toMatchObject({ status: 200, code: 0 });
  session.close();
});

test('a head that is small only until it is unpacked is refused, and the connection goes on', async () => {
  const rig = await startRig(H2);
  const client = await FrameClient.open(rig.port);
  // A literal that is put into the table (RFC 7541, section 6.2.1), and two thousand references to it.
  const stored = literal(['x', 'y'.repeat(3_000)]);
  stored[0] = 0x40;
  client.send(FRAME.headers, 5, 1, Buffer.concat([literal(GET), stored, Buffer.alloc(2_000, 0xbe)]));
  expect(await client.reset(1)).toBe(CALM);
  client.headers(3, GET);
  await eventually(() => expect(rig.host.outcomes).toMatchObject([{ status: 200 }]));
  client.end();
});

test('a client whose uploads are turned away, and which is still sending then, has done nothing wrong', async () => {
  const rig = await startRig(H2);
  rig.host.timeouts = { client: 10_000, httpRequest: 10_000, httpKeepAlive: 700 };
  rig.host.onExchange = (exchange) =>
    exchange.respond({ status: 403, headers: [], body: 'no', close: false });
  const client = await FrameClient.open(rig.port);
  const piece = Buffer.alloc(16_000);
  for (let stream = 1; stream < 100; stream += 2) {
    client.headers(stream, [':method', 'POST', ...GET.slice(2)], 4);
    await client.reset(stream);
    for (let i = 0; i < 4; i++) client.send(FRAME.data, 0, stream, piece);
  }
  await client.gone();
  expect(rig.sockets[0]?.bytesRead).toBeGreaterThan(3_200_000);
  expect(rig.host.refusals).toEqual([]);
});

test.each([8, 0])(
  'whoever breaks off streams as fast as he opens them, by code %i, is sent away',
  async (code) => {
    const rig = await startRig(H2);
    rig.origin.onRequest = () => {};
    const client = await FrameClient.open(rig.port);
    const reset = Buffer.from([0, 0, 0, code]);
    for (let i = 0; i < 5_000; i++) {
      client.headers(1 + 2 * i, GET);
      client.send(FRAME.reset, 0, 1 + 2 * i, reset);
    }
    await client.gone();
    expect(rig.host.refusals).toMatchObject([{ error: { message: 'client broke off too many streams' } }]);
    expect(rig.host.exchanges.length).toBeLessThan(300);
    await eventually(() => expect(rig.host.outcomes).toHaveLength(rig.host.exchanges.length));
  },
);

test.each([
  [
    'a head in endless pieces',
    (client: FrameClient) => {
      client.headers(1, GET, 1);
      for (let i = 0; i < 5_000; i++) client.send(FRAME.continuation, 0, 1, literal([`x${i}`, '1']));
    },
  ],
  [
    'empty pieces of a head',
    (client: FrameClient) => {
      client.headers(1, GET, 1);
      for (let i = 0; i < 5_000; i++) client.send(FRAME.continuation, 0, 1);
    },
  ],
  [
    'empty pieces of a body',
    (client: FrameClient) => {
      client.headers(1, [':method', 'POST', ...GET.slice(2)], 4);
      for (let i = 0; i < 5_000; i++) client.send(FRAME.data, 0, 1);
    },
  ],
  [
    'settings whose acknowledgements are not taken',
    (client: FrameClient) => {
      client.stopReading();
      for (let i = 0; i < 400_000; i++) client.send(FRAME.settings, 0, 0);
    },
  ],
  [
    'pings whose answers are not taken',
    (client: FrameClient) => {
      client.stopReading();
      for (let i = 0; i < 400_000; i++) client.send(FRAME.ping, 0, 0, Buffer.alloc(8));
    },
  ],
  [
    'a body in tiny pieces while nobody takes it',
    (client: FrameClient) => {
      for (const stream of [1, 3, 5, 7]) {
        client.headers(stream, [':method', 'POST', ...GET.slice(2)], 4);
        const octet = Buffer.from([0, 0, 1, FRAME.data, 0, 0, 0, 0, stream, 120]);
        client.write(Buffer.alloc(60_000 * octet.length, octet));
      }
    },
  ],
  ['a request of HTTP/1.1', (client: FrameClient) => client.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))],
  ['a frame that is too large', (client: FrameClient) => client.send(FRAME.data, 0, 1, Buffer.alloc(20_000))],
])('whoever sends %s is sent away', async (_what, act) => {
  const rig = await startRig(H2);
  rig.origin.onHead = ({ socket }) => socket.pause();
  const client = await FrameClient.open(rig.port, !_what.includes('HTTP/1.1'));
  act(client);
  await eventually(() => expect(rig.sockets[0]?.destroyed).toBe(true), 20_000);
  client.end();
  await eventually(() => expect(rig.host.outcomes).toHaveLength(rig.host.exchanges.length));
});

test('what is no HTTP/2 is told of', async () => {
  const rig = await startRig(H2);
  const client = await FrameClient.open(rig.port, false);
  client.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await client.gone();
  expect(rig.host.refusals).toMatchObject([{ status: undefined, error: { code: 'REQUEST_INVALID' } }]);
});

test('with the host draining, an answer says goodbye, and what is under way is finished', async () => {
  const rig = await startRig(H2);
  rig.origin.onRequest = () => {};
  const session = openH2(rig.port);
  const first = follow(session.request({ ':path': '/' }));
  const second = follow(session.request({ ':path': '/' }));
  await eventually(() => expect(rig.origin.requests).toHaveLength(2));
  const goodbye = new Promise((resolve) => session.once('goaway', resolve));
  rig.host.draining = true;
  rig.lane.hurryIdle();
  rig.origin.connections[0]?.send(OK);
  expect(await goodbye).toBe(0);
  expect(await first.closed).toMatchObject({ status: 200, body: 'ok', code: 0 });
  rig.origin.connections[1]?.send(OK);
  expect(await second.closed).toMatchObject({ status: 200, body: 'ok', code: 0 });
  await eventually(() => expect(rig.sockets[0]?.destroyed).toBe(true));
});

test('an idle connection is hurried', async () => {
  const rig = await startRig(H2);
  const session = openH2(rig.port);
  await askH2(session, {});
  rig.host.timeouts = { ...rig.host.timeouts, httpKeepAlive: 1 };
  rig.lane.hurryIdle();
  await eventually(() => expect(session.destroyed).toBe(true));
});
