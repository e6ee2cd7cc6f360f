import { expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { askH2, FRAME, FrameClient, follow, openH2 } from '../../helpers/h2-client.ts';
import { values } from '../../helpers/raw-http.ts';
import { GET, H2 } from './h2-rig.ts';
import { type Rig, startRig } from './lane-rig.ts';

async function refusedBy(rig: Rig, fields: readonly string[], flags = 5): Promise<string> {
  const client = await FrameClient.open(rig.port);
  client.headers(1, fields, flags);
  const end = await eventually(() => {
    const frame = client.frames.find(
      ({ type, stream }) => stream === 1 && (type === FRAME.reset || type === FRAME.headers),
    );
    if (!frame) throw new Error('neither answer nor reset');
    return frame.type === FRAME.reset ? `reset ${frame.payload.readUInt32BE(0)}` : 'answer';
  });
  client.end();
  return end;
}

test('a request becomes one of HTTP/1.1, and its answer one of HTTP/2', async () => {
  const rig = await startRig(H2);
  rig.origin.onRequest = ({ send }) =>
    send(
      'HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nConnection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nX-Other: \xe9\r\n\r\nok',
    );
  const session = openH2(rig.port);
  const answer = await askH2(session, {
    ':path': '/a/b?c=d',
    ':authority': 'w.example',
    cookie: ['a=1', 'b=2'],
    te: 'trailers',
    'x-one': 'y',
  });
  expect(answer).toMatchObject({ status: 200, body: 'ok', code: 0 });
  expect(answer.headers).toMatchObject({
    date: 'Mon, 01 Jan 2024 00:00:00 GMT',
    'x-other': '\xe9',
    'set-cookie': ['a=1', 'b=2'],
  });
  for (const name of ['connection', 'keep-alive', 'x-mine']) expect(answer.headers).not.toHaveProperty(name);
  const [request] = rig.origin.requests;
  expect(request?.line).toBe('GET /a/b?c=d HTTP/1.1');
  expect(request && values(request, 'host')).toEqual(['w.example']);
  expect(request && values(request, 'cookie')).toEqual(['a=1; b=2']);
  expect(request && values(request, 'te')).toEqual([]);
  expect(request && values(request, 'x-one')).toEqual(['y']);
  const { head, bytesIn, bytesOut } = rig.host.exchanges[0] ?? {};
  expect(head).toMatchObject({ httpVersion: '2.0', secure: true, host: 'w.example', path: '/a/b' });
  expect(bytesIn).toBeGreaterThan(50);
  expect(bytesOut).toBeGreaterThan(50);
  session.close();
});

test.each([
  ['another Host', [...GET, 'host', 'other.example']],
  ['two of Host', [...GET.slice(0, 4), ':path', '/', 'host', 'a', 'host', 'b']],
  ['no authority at all', [...GET.slice(0, 4), ':path', '/']],
  ['an absolute target', [':method', 'GET', ':scheme', 'https', ':authority', 'w', ':path', 'http://o/']],
  ['a space in the path', [':method', 'GET', ':scheme', 'https', ':authority', 'w', ':path', '/a b']],
  ['no path', [':method', 'GET', ':scheme', 'https', ':authority', 'w']],
  ['a user in the authority', [':method', 'GET', ':scheme', 'https', ':authority', 'u@w', ':path', '/']],
  ['another scheme', [':method', 'GET', ':scheme', 'ftp', ':authority', 'w', ':path', '/']],
  ['two methods', [':method', 'GET', ...GET]],
  ['an unknown pseudo-header', [...GET, ':status', '200']],
  ['a pseudo-header behind others', [...GET.slice(0, 6), 'a', 'b', ':path', '/']],
  ['connection', [...GET, 'connection', 'close']],
  ['transfer-encoding', [...GET, 'transfer-encoding', 'chunked']],
  ['upgrade', [...GET, 'upgrade', 'websocket']],
  ['proxy-connection', [...GET, 'proxy-connection', 'close']],
  ['keep-alive', [...GET, 'keep-alive', '5']],
  ['te of gzip', [...GET, 'te', 'gzip']],
  ['upper case', [...GET, 'X-Up', '1']],
  ['two lengths', [...GET, 'content-length', '0', 'content-length', '0']],
  ['a length without body', [...GET, 'content-length', '3']],
  ['CONNECT', [':method', 'CONNECT', ':authority', 'w:443']],
  ['extended CONNECT', [':method', 'CONNECT', ':protocol', 'websocket', ...GET.slice(2)]],
  ['too many fields', [...GET, ...Array.from({ length: 120 }, (_, i) => [`x${i}`, '1']).flat()]],
  ['far too many fields', [...GET, ...Array.from({ length: 400 }, (_, i) => [`x${i}`, '1']).flat()]],
])('a request with %s reaches no server', async (_what, fields) => {
  const rig = await startRig(H2);
  await refusedBy(rig, fields);
  expect(rig.host.exchanges).toEqual([]);
  expect(rig.origin.connections).toEqual([]);
});

test('fields with octets that none may have do not go on', async () => {
  const rig = await startRig(H2);
  const client = await FrameClient.open(rig.port);
  client.headers(1, [...GET, 'x y', '1', 'x', 'a\r\nb: c', 'y', 'a\0b', 'z', '1']);
  await eventually(() => expect(rig.origin.requests).toHaveLength(1));
  expect(rig.origin.requests[0]?.headers).toEqual([
    'Host',
    'w.example',
    'z',
    '1',
    'Connection',
    'keep-alive',
  ]);
  client.end();
});

test('what is refused is answered and told, and other streams go on', async () => {
  const rig = await startRig(H2);
  const session = openH2(rig.port);
  rig.origin.onRequest = () => {};
  const other = follow(session.request({ ':path': '/' }));
  await eventually(() => expect(rig.origin.requests).toHaveLength(1));
  const connect = session.request({ ':method': 'CONNECT', ':authority': 'a:443' });
  expect(await follow(connect).closed).toMatchObject({ status: 400, code: 0 });
  expect(rig.host.refusals).toMatchObject([{ status: 400, error: { code: 'REQUEST_INVALID' } }]);
  expect(await askH2(session, { expect: 'miracles' })).toMatchObject({ status: 417 });
  rig.origin.connections[0]?.send('HTTP/1.1 204 No Content\r\n\r\n');
  expect(await other.closed).toMatchObject({ status: 204, body: '', code: 0 });
  session.close();
});

test('a body is only as long as its Content-Length says, or the server gets none that is whole', async () => {
  for (const [body, flags, codes] of [
    ['abc', 1, ['REQUEST_INVALID']],
    // Node ends the whole connection for it.
    ['abcdefg', 0, ['CLIENT_ABORTED']],
  ] as const) {
    const rig = await startRig(H2);
    const client = await FrameClient.open(rig.port);
    client.headers(1, [':method', 'POST', ...GET.slice(2), 'content-length', '5'], 4);
    await eventually(() => expect(rig.host.exchanges).toHaveLength(1));
    client.send(FRAME.data, flags, 1, Buffer.from(body));
    await eventually(() => expect(rig.host.aborts.map(({ code }) => code)).toEqual(codes));
    if (flags === 1) expect(await client.reset(1)).toBe(1);
    else await client.gone();
    expect(rig.origin.requests).toEqual([]);
    client.end();
  }
});

test('a body without a length goes on in chunks, and one of a known length with it', async () => {
  const rig = await startRig(H2);
  const session = openH2(rig.port);
  await askH2(session, { ':method': 'POST' }, 'abc');
  await askH2(session, { ':method': 'POST', 'content-length': 3 }, 'abc');
  await askH2(session, { ':method': 'POST', 'content-length': 0 }, '');
  const [chunked, told, empty] = rig.origin.requests;
  expect(chunked && [values(chunked, 'transfer-encoding'), chunked.body]).toEqual([['chunked'], 'abc']);
  expect(told && [values(told, 'content-length'), told.body]).toEqual([['3'], 'abc']);
  expect(empty && [values(empty, 'content-length'), empty.body]).toEqual([['0'], '']);
  session.close();
});

test('a stream that is reset within the body is never taken for a whole request, whatever the code', async () => {
  for (const code of [0, 8]) {
    const rig = await startRig(H2);
    const client = await FrameClient.open(rig.port);
    client.headers(1, [':method', 'POST', ...GET.slice(2)], 4);
    client.send(FRAME.data, 0, 1, Buffer.from('abc'));
    await eventually(() => expect(rig.origin.connections[0]?.pending()).toContain('abc'));
    client.send(FRAME.reset, 0, 1, Buffer.from([0, 0, 0, code]));
    await eventually(() => expect(rig.host.aborts).toMatchObject([{ code: 'CLIENT_ABORTED' }]));
    await eventually(() => expect(rig.given[0]?.destroyed).toBe(true));
    expect(rig.origin.requests).toEqual([]);
    client.end();
  }
});

test('an answer before the body has come ends before the stream is reset, whoever gave it', async () => {
  for (const own of [true, false]) {
    const rig = await startRig(H2);
    if (own) {
      rig.host.onExchange = (exchange) =>
        exchange.respond({ status: 403, headers: [], body: 'no', close: false });
    }
    rig.origin.onHead = ({ send }) => send('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno');
    const client = await FrameClient.open(rig.port);
    client.headers(1, [':method', 'POST', ...GET.slice(2)], 4);
    expect(await client.reset(1)).toBe(0);
    const frames = client.frames.filter(({ stream }) => stream === 1);
    const ends = frames.filter(({ type, flags }) => type !== FRAME.reset && (flags & 1) === 1);
    expect(ends).toHaveLength(1);
    expect(frames.at(-1)?.type).toBe(FRAME.reset);
    client.end();
  }
});

test('every whole answer ends its stream by itself', async () => {
  const rig = await startRig(H2);
  rig.origin.answers(
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
  );
  const client = await FrameClient.open(rig.port);
  for (const stream of [1, 3, 5, 7]) {
    client.headers(stream, GET);
    await eventually(() => {
      const frames = client.frames.filter((frame) => frame.stream === stream);
      expect(frames.filter(({ flags }) => (flags & 1) === 1)).toHaveLength(1);
    });
  }
  await eventually(() => expect(rig.host.outcomes).toHaveLength(4));
  expect(client.frames.filter(({ type }) => type === FRAME.reset)).toEqual([]);
  expect(rig.host.outcomes.map(({ error }) => error)).toEqual([undefined, undefined, undefined, undefined]);
  client.end();
});
