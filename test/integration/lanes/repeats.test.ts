import { expect, test } from 'vitest';
import type { Exchange } from '../../../src/proxy/lanes/lane.ts';
import { eventually } from '../../helpers/eventually.ts';
import { describeLanes, type Rig, startRig } from './lane-rig.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy';
const put = (body: string, length = body.length) =>
  `PUT / HTTP/1.1\r\nHost: w\r\nContent-Length: ${length}\r\n\r\n${body}`;

/** Has attempts follow each other as long as the request can be sent again. */
function repeating({ host }: Rig, attempts: number): void {
  const next = async (exchange: Exchange, left: number): Promise<void> => {
    const outcome = await host.forward(exchange);
    if (!outcome.error || outcome.responseStarted) return;
    if (left > 1 && outcome.replayable) return next(exchange, left - 1);
    exchange.respond({ status: 502, headers: [], body: '', close: false });
  };
  host.onExchange = (exchange) => void next(exchange, attempts);
}

describeLanes('requests that are sent again', (kind) => {
  test('with the body that the first attempt had sent, whole', async () => {
    const rig = await startRig(kind);
    const { client, origin, host } = rig;
    host.keepBody = 16_384;
    repeating(rig, 3);
    let tries = 0;
    origin.onRequest = ({ socket, send }) => (++tries < 3 ? socket.resetAndDestroy() : send(OK));
    const body = 'x'.repeat(16_000);
    const c = await client();
    c.send(put(body));
    expect((await c.answer()).body).toBe('ok');
    expect(origin.requests.map((request) => request.body)).toEqual([body, body, body]);
    // The client's connection is at its next request.
    c.send(put('next'));
    expect((await c.answer()).body).toBe('ok');
    expect(origin.requests.at(-1)?.body).toBe('next');
  });

  test('with what the client sent before and after the first attempt failed', async () => {
    const rig = await startRig(kind);
    const { client, origin, host } = rig;
    host.keepBody = 100;
    repeating(rig, 2);
    let heads = 0;
    origin.onHead = ({ socket }) => {
      if (++heads === 1) setImmediate(() => socket.resetAndDestroy());
    };
    const c = await client();
    c.send(put('first', 11));
    await eventually(() => expect(heads).toBe(2));
    c.send(' other');
    expect((await c.answer()).body).toBe('ok');
    expect(origin.requests.at(-1)?.body).toBe('first other');
  });

  test('not when more of the body has left than is kept', async () => {
    const rig = await startRig(kind);
    const { client, origin, host } = rig;
    host.keepBody = 10;
    repeating(rig, 3);
    origin.onRequest = ({ socket }) => socket.resetAndDestroy();
    const c = await client();
    c.send(put('more than ten'));
    expect((await c.answer()).line).toBe('HTTP/1.1 502 Bad Gateway');
    expect(host.outcomes).toMatchObject([{ replayable: false }]);
  });

  test('in chunks', async () => {
    const rig = await startRig(kind);
    const { client, origin, host } = rig;
    host.keepBody = 100;
    repeating(rig, 2);
    let tries = 0;
    origin.onRequest = ({ socket, send }) => (++tries < 2 ? socket.resetAndDestroy() : send(OK));
    const c = await client();
    c.send('PUT / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n');
    expect((await c.answer()).body).toBe('ok');
    expect(origin.requests.map((request) => request.raw.includes('0\r\n\r\n'))).toEqual([true, true]);
  });

  test('for an answer that is not wanted, of which the client sees nothing', async () => {
    const rig = await startRig(kind);
    const { client, origin, host } = rig;
    host.keepBody = 100;
    host.unwanted = [503];
    repeating(rig, 2);
    origin.answers(BUSY, OK);
    const c = await client();
    c.send(put('abc'));
    const answer = await c.answer();
    expect(answer.line).toBe('HTTP/1.1 200 OK');
    expect(answer.body).toBe('ok');
    expect(origin.requests.map((request) => request.body)).toEqual(['abc', 'abc']);
    expect(host.outcomes).toMatchObject([
      { error: { code: 'UPSTREAM_STATUS' }, status: 503, responseStarted: false, replayable: true },
      { error: undefined, status: 200 },
    ]);
    expect(c.received).toBe('');
  });
});
