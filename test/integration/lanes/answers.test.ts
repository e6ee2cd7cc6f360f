import { expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { eventually } from '../../helpers/eventually.ts';
import { values } from '../../helpers/raw-http.ts';
import { describeLanes, startRig } from './lane-rig.ts';

const answer = (more: object = {}) => ({
  status: 403,
  headers: ['X-Why', 'rule', 'x-why', 'twice'],
  body: 'nö',
  close: false,
  ...more,
});

describeLanes('answers without a server', (kind) => {
  test('have a length, and the connection goes on', async () => {
    const { client, host, origin } = await startRig(kind);
    host.onExchange = (exchange) => exchange.respond(answer());
    const c = await client();
    for (let i = 0; i < 30; i++) {
      c.send('GET / HTTP/1.1\r\nHost: w\r\n\r\n');
      const got = await c.answer();
      expect(got.line).toBe('HTTP/1.1 403 Forbidden');
      expect(values(got, 'x-why')).toEqual(['rule', 'twice']);
      expect(values(got, 'content-length')).toEqual(['3']);
      expect(values(got, 'date')).toHaveLength(1);
      expect(values(got, 'connection')).toEqual([]);
      expect(got.body).toBe('n\xc3\xb6');
      expect(host.exchanges[i]?.bytesOut).toBe(got.raw.length);
    }
    expect(origin.connections).toEqual([]);
  });

  test.each([
    ['HEAD', 403, ['3']],
    ['GET', 204, []],
    ['GET', 304, []],
  ])('%s answered %i has no body', async (method, status, lengths) => {
    const { client, host } = await startRig(kind);
    host.onExchange = (exchange) => exchange.respond(answer({ status }));
    const c = await client();
    for (let i = 0; i < 2; i++) {
      c.send(`${method} / HTTP/1.1\r\nHost: w\r\n\r\n`);
      expect(values(await c.answer(method), 'content-length')).toEqual(lengths);
    }
    expect(c.received).toBe('');
  });

  test('can close the connection', async () => {
    const { client, host } = await startRig(kind);
    host.onExchange = (exchange) => exchange.respond(answer({ close: true }));
    const c = await client();
    c.send('GET / HTTP/1.1\r\nHost: w\r\n\r\nGET / HTTP/1.1\r\nHost: w\r\n\r\n');
    expect(values(await c.answer(), 'connection')).toEqual(['close']);
    await c.gone();
    expect(c.received).toBe('');
    expect(host.exchanges).toHaveLength(1);
  });

  test('reach clients of HTTP/1.0', async () => {
    const { client, host } = await startRig(kind);
    host.onExchange = (exchange) => exchange.respond(answer());
    const c = await client();
    c.send('GET / HTTP/1.0\r\n\r\n');
    expect((await c.answer()).body).toBe('n\xc3\xb6');
    await c.gone();
  });

  test('to a body that is there already: the connection goes on', async () => {
    const { client, host } = await startRig(kind);
    host.onExchange = (exchange) => void setImmediate(() => exchange.respond(answer()));
    const c = await client();
    c.send('POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nabc');
    expect(values(await c.answer(), 'connection')).toEqual([]);
    c.send('GET / HTTP/1.1\r\nHost: w\r\n\r\n');
    expect((await c.answer()).line).toBe('HTTP/1.1 403 Forbidden');
  });

  test('to a body that nobody reads: the client gets it whole, however late it takes it', async () => {
    const { client, host, sockets } = await startRig(kind);
    let respond = () => {};
    host.onExchange = (exchange) => {
      respond = () => exchange.respond(answer({ body: 'x'.repeat(400_000) }));
    };
    const c = await client();
    c.socket.pause();
    c.send('POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 500000\r\n\r\n');
    c.socket.write(Buffer.alloc(499_999));
    await eventually(() => expect(sockets[0]?.bytesRead).toBeGreaterThan(50_000));
    expect(sockets[0]?.bytesRead).toBeLessThan(499_999);
    respond();
    // The system has all of the answer, the client none yet: a reset now would lose the rest on the way.
    await eventually(() => expect(sockets[0]?.writableFinished).toBe(true));
    c.socket.resume();
    const got = await c.answer();
    expect(got.body.length).toBe(400_000);
    expect(values(got, 'connection')).toEqual(['close']);
    c.socket.end();
    await eventually(() => expect(c.closed).toBe(true));
    expect(c.error).toBeUndefined();
  });

  test('only the first one counts', async () => {
    const { client, host } = await startRig(kind);
    host.onExchange = (exchange) => {
      exchange.respond(answer());
      exchange.respond(answer({ status: 500 }));
    };
    const c = await client();
    c.send('GET / HTTP/1.1\r\nHost: w\r\n\r\nGET / HTTP/1.1\r\nHost: w\r\n\r\n');
    for (let i = 0; i < 2; i++) expect((await c.answer()).line).toBe('HTTP/1.1 403 Forbidden');
    expect(c.received).toBe('');
  });

  test('a client can be cut without any', async () => {
    const { client, host } = await startRig(kind);
    host.onExchange = (exchange) => exchange.destroy(new VaneError('SERVER_REMOVED', 'gone'));
    const c = await client();
    c.send('GET / HTTP/1.1\r\nHost: w\r\n\r\n');
    await c.cut();
    expect(host.aborts).toEqual([]);
  });
});
