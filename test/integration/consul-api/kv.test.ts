import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';
import { eventually } from '../../helpers/eventually.ts';

let under: ConsulApiUnderTest;
beforeEach(async () => {
  under = await startConsulApi();
});
afterEach(() => under.close());

const call: ConsulApiUnderTest['call'] = (...args) => under.call(...args);
const index = (answer: { headers: Headers }) => Number(answer.headers.get('x-consul-index'));

async function session(body?: object): Promise<string> {
  const { json } = await call('PUT', '/v1/session/create', body);
  return (json as { ID: string }).ID;
}

/** The names and values of the first entry, byte for byte but for the indexes. */
async function shown(path: string): Promise<string> {
  const { text } = await call('GET', path);
  return text.replaceAll(/(?<=Index":)\d+(?=[,}])(?!,"Key)/g, 'N');
}

describe('a key', () => {
  test('is shown with its fields in the order of Consul, flags digit by digit', async () => {
    expect((await call('PUT', '/v1/kv/a/b?flags=18446744073709551615', 'x')).text).toBe('true');
    expect(await shown('/v1/kv/a/b')).toBe(
      '[{"LockIndex":0,"Key":"a/b","Flags":18446744073709551615,"Value":"eA==","CreateIndex":N,"ModifyIndex":N}]',
    );
    const id = await session();
    await call('PUT', `/v1/kv/a/b?acquire=${id}`, '');
    expect(await shown('/v1/kv/a/b')).toBe(
      `[{"LockIndex":1,"Key":"a/b","Flags":0,"Value":null,"Session":"${id}","CreateIndex":N,"ModifyIndex":N}]`,
    );
  });

  test('has an index of its own, and the headers of Consul but for the consistency', async () => {
    await call('PUT', '/v1/kv/a', 'x');
    const { json, headers } = await call('GET', '/v1/kv/a');
    await call('PUT', '/v1/kv/b', 'x');
    expect(json).toMatchObject([{ ModifyIndex: index(await call('GET', '/v1/kv/a')) }]);
    expect(headers.get('x-consul-knownleader')).toBe('true');
    expect(headers.get('x-consul-lastcontact')).toBe('0');
    expect(headers.get('x-consul-effective-consistency')).toBeNull();
  });

  test('gives back raw what was put, octet for octet, as something no browser runs', async () => {
    const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await fetch(`${under.base}/v1/kv/bin`, { method: 'PUT', body: value });
    const answer = await fetch(`${under.base}/v1/kv/bin?raw`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(value)).toBe(true);
    expect(answer.headers.get('content-type')).toBe('text/plain');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('content-security-policy')).toBe('sandbox');
    expect((await call('GET', '/v1/kv/bin')).json).toMatchObject([{ Value: value.toString('base64') }]);
  });

  test.each([
    ['/v1/kv/none', 404],
    ['/v1/kv/none?raw', 404],
    ['/v1/kv/none?recurse', 404],
    ['/v1/kv/none?keys', 404],
  ])('that is not there: %s', async (path, status) => {
    const answer = await call('GET', path);
    expect([answer.status, answer.text, answer.headers.get('content-type')]).toEqual([status, '', null]);
    expect(index(answer)).toBeGreaterThan(0);
  });
});

describe('lists', () => {
  beforeEach(async () => {
    for (const key of ['dir/a', 'dir/sub/b', 'dir/sub/c', 'dirt', 'z'])
      await call('PUT', `/v1/kv/${key}`, key);
  });

  test.each<[string, string[]]>([
    ['dir/?keys', ['dir/a', 'dir/sub/b', 'dir/sub/c']],
    ['dir?keys', ['dir/a', 'dir/sub/b', 'dir/sub/c', 'dirt']],
    ['dir/?keys&separator=/', ['dir/a', 'dir/sub/']],
    ['dir?keys&separator=/', ['dir/', 'dirt']],
    ['?keys&separator=/', ['dir/', 'dirt', 'z']],
    ['?keys&seperator=/', ['dir/', 'dirt', 'z']],
    ['?keys&seperator=x&separator=/', ['dir/', 'dirt', 'z']],
    ['dir/?keys&separator=sub', ['dir/a', 'dir/sub']],
  ])('of keys: %s', async (path, keys) => {
    expect((await call('GET', `/v1/kv/${path}`)).json).toEqual(keys);
  });

  test('of entries are by plain prefix', async () => {
    const { json } = await call('GET', '/v1/kv/dir/s?recurse');
    expect(json).toMatchObject([{ Key: 'dir/sub/b' }, { Key: 'dir/sub/c' }]);
  });

  test('of an empty store are empty for its root alone', async () => {
    expect((await call('DELETE', '/v1/kv/?recurse')).text).toBe('true');
    expect((await call('GET', '/v1/kv/?keys')).json).toEqual([]);
    expect((await call('GET', '/v1/kv/?recurse')).status).toBe(404);
  });
});

test.each([
  ['GET', '/v1/kv/', 400, 'Missing key name'],
  ['PUT', '/v1/kv/', 400, 'Missing key name'],
  ['DELETE', '/v1/kv/', 400, 'Missing key name'],
  ['PUT', '/v1/kv/x?cas=0&acquire=a%20b*~', 400, 'Conflicting flags: acquire=a+b%2A~&cas=0'],
  ['PUT', '/v1/kv/x?release=b&acquire=a', 400, 'Conflicting flags: acquire=a&release=b'],
  ['DELETE', '/v1/kv/x?recurse&cas=1', 400, 'Conflicting flags: cas=1&recurse='],
  ['PUT', '/v1/kv/x?flags=x', 500, 'strconv.ParseUint: parsing "x": invalid syntax'],
  ['PUT', '/v1/kv/x?flags=', 500, 'strconv.ParseUint: parsing "": invalid syntax'],
  [
    'PUT',
    '/v1/kv/x?cas=18446744073709551616',
    500,
    'strconv.ParseUint: parsing "18446744073709551616": value out of range',
  ],
  ['DELETE', '/v1/kv/x?cas=-1', 500, 'strconv.ParseUint: parsing "-1": invalid syntax'],
  ['PUT', '/v1/kv/x?acquire=', 500, 'missing session'],
  ['PUT', '/v1/kv/x?release=', 500, 'missing session'],
  ['PUT', '/v1/kv/x?acquire=x', 500, 'failed session lookup: index error: UUID must be 36 characters'],
  ['PUT', '/v1/kv/x?dc=else', 500, 'No path to datacenter'],
  ['GET', '/v1/kv/x?wait=1', 400, 'Invalid wait time'],
  ['POST', '/v1/kv/x', 405, 'method POST not allowed'],
])('%s %s is refused', async (method, path, status, text) => {
  const answer = await call(method, path, method === 'GET' ? undefined : 'value');
  expect([answer.status, answer.text]).toEqual([status, text]);
  expect((await call('GET', '/v1/kv/x')).status).toBe(404);
});

test('an index beyond all numbers is one that is never reached', async () => {
  await call('PUT', '/v1/kv/x', '1');
  expect((await call('PUT', '/v1/kv/x?cas=18446744073709551615', '2')).text).toBe('false');
  expect((await call('DELETE', '/v1/kv/x?cas=18446744073709551615')).text).toBe('false');
});

describe('a value that is too large', () => {
  const MOST = 512 * 1024;

  /** Sends a head and as much of a body as the server takes; returns its answer and how much that was. */
  async function send(head: string, chunk: string): Promise<{ answer: string; sent: number }> {
    const socket = connect(under.api.port, '127.0.0.1');
    const closed = once(socket, 'close');
    let answer = '';
    let sent = 0;
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.on('error', () => {});
    socket.write(`PUT /v1/kv/big HTTP/1.1\r\nHost: localhost\r\n${head}\r\n\r\n`);
    while (chunk !== '' && answer === '' && sent < 64 * MOST) {
      socket.write(chunk);
      sent += chunk.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    return { answer, sent };
  }

  test('is refused as soon as its length is told, before any of it is sent', async () => {
    const { answer } = await send(`Content-Length: ${MOST + 1}`, '');
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('Content-Type: text/plain; charset=utf-8');
    expect(answer).toContain(
      '\r\n\r\nRequest body(524289 bytes) too large, max size: 524288 bytes. ' +
        'See https://www.consul.io/docs/agent/options.html#kv_max_value_size.',
    );
  });

  test('is refused when it turns out to be, without being kept', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const { answer, sent } = await send('Transfer-Encoding: chunked', chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(sent).toBeLessThan(64 * MOST);
    expect((await call('GET', '/v1/kv/big')).status).toBe(404);
  });

  test('by nothing is taken', async () => {
    expect((await call('PUT', '/v1/kv/big', 'x'.repeat(MOST))).text).toBe('true');
    expect((await call('GET', '/v1/kv/big?raw')).text).toHaveLength(MOST);
  });
});

describe('a blocking query', () => {
  test('of a key is woken by that key alone', async () => {
    await call('PUT', '/v1/kv/a', '1');
    const before = index(await call('GET', '/v1/kv/a'));
    const waiting = call('GET', `/v1/kv/a?index=${before}&wait=1m`);
    await eventually(() => expect(under.api.waiting).toBe(1));
    await call('PUT', '/v1/kv/a', '1');
    await call('PUT', '/v1/kv/ab', '1');
    expect(under.api.waiting).toBe(1);
    await call('PUT', '/v1/kv/a', '2');
    expect((await waiting).json).toMatchObject([{ Value: 'Mg==' }]);
    expect(index(await waiting)).toBeGreaterThan(before);
  });

  test('of a key is woken by its coming and its going', async () => {
    const absent = index(await call('GET', '/v1/kv/a'));
    const coming = call('GET', `/v1/kv/a?index=${absent}&wait=1m`);
    await eventually(() => expect(under.api.waiting).toBe(1));
    await call('PUT', '/v1/kv/a', '1');
    expect((await coming).json).toMatchObject([{ Key: 'a' }]);
    const going = call('GET', `/v1/kv/a?index=${index(await coming)}&wait=1m`);
    await eventually(() => expect(under.api.waiting).toBe(1));
    await call('DELETE', '/v1/kv/a');
    expect((await going).status).toBe(404);
    expect(index(await going)).toBeGreaterThan(index(await coming));
  });

  test.each(['recurse', 'keys'])('of a prefix (%s) is woken by what is under it', async (what) => {
    await call('PUT', '/v1/kv/a/1', '1');
    const before = index(await call('GET', `/v1/kv/a/?${what}`));
    const waiting = call('GET', `/v1/kv/a/?${what}&index=${before}&wait=1m`);
    await eventually(() => expect(under.api.waiting).toBe(1));
    await call('PUT', '/v1/kv/b', '1');
    expect(under.api.waiting).toBe(1);
    await call('DELETE', '/v1/kv/a/1');
    expect((await waiting).status).toBe(404);
    expect(index(await waiting)).toBeGreaterThan(before);
  });

  test('of a lock is woken when its session ends', async () => {
    const id = await session();
    await call('PUT', `/v1/kv/lock?acquire=${id}`, 'me');
    const before = index(await call('GET', '/v1/kv/lock'));
    const waiting = call('GET', `/v1/kv/lock?index=${before}&wait=1m`);
    const info = call('GET', `/v1/session/info/${id}?index=${before}&wait=1m`);
    await eventually(() => expect(under.api.waiting).toBe(2));
    await call('PUT', `/v1/session/destroy/${id}`);
    expect((await waiting).json).toMatchObject([{ Key: 'lock', LockIndex: 1, Value: 'bWU=' }]);
    expect((await waiting).text).not.toContain('Session');
    expect((await info).json).toEqual([]);
  });
});
