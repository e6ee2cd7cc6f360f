import { expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { eventually } from '../../helpers/eventually.ts';
import { askH2, follow, openH2 } from '../../helpers/h2-client.ts';
import { H2 } from './h2-rig.ts';
import { startRig } from './lane-rig.ts';

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n';

test('chunks, trailers and interim answers are passed on', async () => {
  const rig = await startRig(H2);
  rig.origin.onRequest = ({ send }) =>
    send(
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${CHUNKED}Trailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nContent-Type: no\r\n\r\n`,
    );
  const session = openH2(rig.port);
  const answer = await askH2(session, {});
  expect(answer).toMatchObject({ status: 200, interim: [103], body: 'ok', code: 0 });
  expect(answer.trailers).toMatchObject({ 'x-sum': '7' });
  expect(answer.trailers).not.toHaveProperty('content-type');
  rig.origin.onRequest = ({ send }) => send(`${CHUNKED}\r\n0\r\n\r\n`);
  expect(await askH2(session, {})).toMatchObject({ status: 200, body: '', trailers: undefined, code: 0 });
  session.close();
});

test.each([
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n', { status: 200, length: '7' }],
  ['HEAD', `${CHUNKED}\r\n`, { status: 200, length: undefined }],
  ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', { status: 204, length: undefined }],
  ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n', { status: 304, length: '7' }],
  ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { status: 200, length: '0' }],
  ['GET', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nok', { status: 205, length: undefined }],
])('to %s the answer %j has no body', async (method, answer, { status, length }) => {
  const rig = await startRig(H2);
  rig.origin.onRequest = ({ send }) => send(answer);
  const session = openH2(rig.port);
  for (let i = 0; i < 2; i++) {
    const got = await askH2(session, { ':method': method });
    expect(got).toMatchObject({ status, body: '', code: 0 });
    expect(got.headers['content-length']).toBe(length);
  }
  expect(rig.host.outcomes.map(({ error }) => error)).toEqual([undefined, undefined]);
  // The connection to the server served both.
  expect(rig.origin.connections).toHaveLength(1);
  session.close();
});

test('the client is asked for the body when it is wanted', async () => {
  const rig = await startRig(H2);
  const session = openH2(rig.port);
  const stream = session.request({ ':method': 'POST', expect: '100-continue' });
  stream.once('continue', () => stream.end('abc'));
  expect(await follow(stream).closed).toMatchObject({ status: 200, body: 'ok' });
  expect(rig.origin.requests[0]?.body).toBe('abc');
  session.close();
});

test('an answer of our own before the body has come ends the stream, not the connection', async () => {
  const rig = await startRig(H2);
  rig.host.onExchange = (exchange) => exchange.respond({ status: 403, headers: [], body: 'no', close: true });
  const session = openH2(rig.port);
  const stream = session.request({ ':method': 'POST' });
  stream.write('abc');
  expect(await follow(stream).closed).toMatchObject({ status: 403, body: 'no', code: 0 });
  expect(await askH2(session, {})).toMatchObject({ status: 403, body: 'no', code: 0 });
  expect(await askH2(session, { ':method': 'HEAD' })).toMatchObject({ status: 403, body: '', code: 0 });
  expect(session.closed).toBe(false);
  session.close();
});

test.each([
  ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok'],
  ['in chunks', `${CHUNKED}\r\n2\r\nok\r\n`],
])('an answer %s that breaks off does not look whole, and the others go on', async (_how, answer) => {
  const rig = await startRig(H2);
  const session = openH2(rig.port);
  rig.origin.onRequest = ({ send }) => send(answer);
  const { answer: got, closed } = follow(session.request({ ':path': '/' }));
  await eventually(() => expect(got.body).toBe('ok'));
  rig.origin.connections[0]?.socket.destroy();
  expect(await closed).toMatchObject({ status: 200, code: 2 });
  expect(rig.host.outcomes).toMatchObject([{ error: { code: 'UPSTREAM_CLOSED' }, responseStarted: true }]);
  rig.origin.onRequest = ({ send }) => send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  expect(await askH2(session, {})).toMatchObject({ status: 200, body: 'ok', code: 0 });
  session.close();
});

test('a server that fails before it answers may be followed by another attempt, body and all', async () => {
  const rig = await startRig(H2);
  rig.host.keepBody = 1_000;
  rig.host.unwanted = [503];
  rig.host.onExchange = async (exchange) => {
    const first = await rig.host.forward(exchange);
    expect(first).toMatchObject({ error: { code: 'UPSTREAM_STATUS' }, replayable: true });
    rig.host.unwanted = [];
    await rig.host.forward(exchange);
  };
  let answers = 0;
  rig.origin.onRequest = ({ send }, { body }) =>
    send(
      answers++ === 0
        ? 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'
        : `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  const session = openH2(rig.port);
  const answer = await askH2(session, { ':method': 'PUT', 'content-length': 5 }, 'hello');
  expect(answer).toMatchObject({ status: 200, body: 'hello', code: 0 });
  session.close();
});

test('a client that breaks off a stream ends the attempt, and nothing else', async () => {
  const rig = await startRig(H2);
  rig.origin.onRequest = () => {};
  const session = openH2(rig.port);
  const left = session.request({ ':path': '/' });
  const { closed } = follow(left);
  const stayed = follow(session.request({ ':path': '/' }));
  await eventually(() => expect(rig.origin.requests).toHaveLength(2));
  left.close(8);
  await closed;
  await eventually(() => expect(rig.host.outcomes).toMatchObject([{ error: { code: 'CLIENT_ABORTED' } }]));
  expect(rig.given[0]?.destroyed).toBe(true);
  rig.origin.connections[1]?.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  expect(await stayed.closed).toMatchObject({ status: 200, body: 'ok', code: 0 });
  session.close();
});

test('a client that is gone has broken off all its streams', async () => {
  const rig = await startRig(H2);
  rig.origin.onRequest = () => {};
  const session = openH2(rig.port);
  const all = [1, 2, 3].map(() => follow(session.request({ ':path': '/' })).closed);
  await eventually(() => expect(rig.origin.requests).toHaveLength(3));
  session.destroy();
  await Promise.all(all);
  await eventually(() => expect(rig.host.outcomes).toHaveLength(3));
  for (const { error } of rig.host.outcomes) expect(error?.code).toBe('CLIENT_ABORTED');
});

test('while the client takes nothing, little is taken from the server, and all comes in the end', async () => {
  const rig = await startRig(H2);
  const length = 20_000_000;
  rig.origin.onRequest = ({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
    socket.write(Buffer.alloc(length, 'x'));
  };
  const session = openH2(rig.port);
  const slow = session.request({ ':path': '/' });
  slow.pause();
  await eventually(() => expect(rig.given[0]?.bytesRead).toBeGreaterThan(50_000));
  expect(await settled(() => rig.given[0]?.bytesRead ?? 0)).toBeLessThan(4_000_000);
  // The others do not wait for it.
  expect(await askH2(session, { ':method': 'HEAD' })).toMatchObject({ status: 200 });
  const { closed } = follow(slow);
  slow.resume();
  expect((await closed).body.length).toBe(length);
  session.close();
});

test('while the server takes nothing, little is taken from the client, and all goes on in the end', async () => {
  const rig = await startRig(H2);
  const length = 20_000_000;
  rig.origin.onHead = ({ socket }) => socket.pause();
  const session = openH2(rig.port);
  const done = askH2(session, { ':method': 'POST', 'content-length': length }, Buffer.alloc(length, 'x'));
  await eventually(() => expect(rig.host.exchanges[0]?.bytesIn).toBeGreaterThan(60_000));
  expect(await settled(() => rig.host.exchanges[0]?.bytesIn ?? 0)).toBeLessThan(length - 5_000_000);
  rig.origin.connections[0]?.socket.resume();
  expect(await done).toMatchObject({ status: 200, code: 0 });
  expect(rig.origin.requests[0]?.body.length).toBe(length);
  session.close();
});

test('a hundred streams at once are served over one connection, each its own answer', async () => {
  const rig = await startRig(H2);
  rig.origin.onRequest = ({ send }, { line, body }) => {
    const text = `${line.split(' ')[1]} ${body.length}`;
    send(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  };
  const session = openH2(rig.port);
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      askH2(session, { ':method': 'POST', ':path': `/${i}` }, Buffer.alloc(i * 1_000)),
    ),
  );
  for (const [i, { body }] of answers.entries()) expect(body).toBe(`/${i} ${i * 1_000}`);
  session.close();
});

test('at the hard end, answers that are under way do not look whole', async () => {
  const rig = await startRig(H2);
  rig.origin.onRequest = ({ send }) => send(`${CHUNKED}\r\n2\r\nok\r\n`);
  const session = openH2(rig.port);
  const { answer, closed } = follow(session.request({ ':path': '/' }));
  let ended = false;
  const stream = closed.then(() => {
    ended = answer.code === 0 && answer.trailers !== undefined;
  });
  await eventually(() => expect(answer.body).toBe('ok'));
  rig.lane.destroy(new VaneError('STOPPING', 'the end'));
  await stream;
  expect(ended).toBe(false);
  await eventually(() => expect(rig.host.outcomes).toMatchObject([{ error: { code: 'STOPPING' } }]));
  await eventually(() => expect(session.destroyed).toBe(true));
});

/** The value once it has not changed for a while. */
async function settled(read: () => number): Promise<number> {
  let before = read();
  let same = 0;
  await eventually(() => {
    const now = read();
    same = now === before ? same + 1 : 0;
    before = now;
    if (same < 10) throw new Error(`still changing: ${now}`);
  });
  return before;
}
