import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createSecureServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { datacentersOfTest, listening, register } from '../helpers/datacenter.ts';
import { eventually } from '../helpers/eventually.ts';
import { RawClient } from '../helpers/raw-http.ts';
import { selfSigned } from '../helpers/self-signed.ts';

const { start, two, again: restarted, atEnd, clean } = datacentersOfTest();
afterEach(clean);

const WEB = { Name: 'web', ID: 'web-1', Address: '10.2.0.1', Port: 8000, Tags: ['v1'] };

describe('requests for another datacenter', () => {
  test('are answered there, with its index headers, status and body', async () => {
    const { dc1, dc2 } = await two();
    await register(dc2, WEB);
    const there = await dc2.call('GET', '/v1/health/service/web');
    const here = await dc1.call('GET', '/v1/health/service/web?dc=dc2');
    expect(here.json).toEqual(there.json);
    expect(here.headers.get('x-consul-index')).toBe(there.headers.get('x-consul-index'));
    expect(here.headers.get('x-consul-knownleader')).toBe('true');
    expect(await dc1.call('GET', '/v1/health/service/web')).toMatchObject({ json: [] });
    expect(await dc1.call('GET', '/v1/catalog/datacenters')).toMatchObject({ json: ['dc1', 'dc2'] });
    const refused = await dc1.call('GET', '/v1/health/service/web?dc=dc2&filter=Bogus');
    expect(refused).toMatchObject(
      await dc2.call('GET', '/v1/health/service/web?filter=Bogus').then(statusAndText),
    );
    const missing = await dc1.call('GET', '/v1/kv/none?dc=dc2');
    expect(missing).toMatchObject({ status: 404, text: '' });
    expect(missing.headers.get('x-consul-index')).toBe('1');
    const pretty = await dc1.call('GET', '/v1/catalog/services?dc=dc2&pretty');
    expect(pretty.text).toContain('\n    "web"');
  });

  test('an unknown one is refused in words of Consul, and so is one in another case', async () => {
    const { dc1 } = await two();
    for (const name of ['dc9', 'DC2']) {
      const answer = await dc1.call('GET', `/v1/health/service/web?dc=${name}`);
      expect(answer).toMatchObject({ status: 500, text: 'No path to datacenter' });
    }
  });

  test('writes are made there: keys, sessions, transactions, catalog, queries, events', async () => {
    const { dc1, dc2 } = await two();
    expect(await dc1.call('PUT', '/v1/kv/a%2Fb?dc=dc2&flags=7', 'value')).toMatchObject({ json: true });
    expect((await dc2.call('GET', '/v1/kv/a/b?raw')).text).toBe('value');
    expect((await dc1.call('GET', '/v1/kv/a/b')).status).toBe(404);
    const { json } = await dc1.call('PUT', '/v1/session/create?dc=dc2', '{}');
    expect(JSON.stringify((await dc2.call('GET', '/v1/session/list')).json)).toContain(
      Reflect.get(Object(json), 'ID'),
    );
    const ops = [{ KV: { Verb: 'set', Key: 'txn', Value: 'eA==' } }];
    expect((await dc1.call('PUT', '/v1/txn?dc=dc2', ops)).status).toBe(200);
    expect((await dc2.call('GET', '/v1/kv/txn?raw')).text).toBe('x');
    const row = { Datacenter: 'dc2', Node: 'ext', Address: '10.2.0.9', Service: { Service: 'db', Port: 1 } };
    expect(await dc1.call('PUT', '/v1/catalog/register', row)).toMatchObject({ json: true });
    expect((await dc2.call('GET', '/v1/catalog/service/db')).text).toContain('10.2.0.9');
    expect((await dc1.call('GET', '/v1/catalog/service/db')).json).toEqual([]);
    const query = { Name: 'near', Service: { Service: 'db' } };
    expect((await dc1.call('POST', '/v1/query?dc=dc2', query)).status).toBe(200);
    expect((await dc1.call('GET', '/v1/query/near/execute?dc=dc2')).text).toContain('10.2.0.9');
    expect((await dc1.call('PUT', '/v1/event/fire/deploy?dc=dc2')).status).toBe(200);
    expect((await dc2.call('GET', '/v1/event/list')).text).toContain('deploy');
    expect((await dc1.call('DELETE', '/v1/kv/a/b?dc=dc2')).json).toBe(true);
  });

  test('blocking queries wait there, and answer once something has changed there', async () => {
    const { dc1, dc2 } = await two();
    await register(dc2, WEB);
    const index = (await dc1.call('GET', '/v1/health/service/web?dc=dc2')).headers.get('x-consul-index');
    let done = false;
    const waiting = dc1.call('GET', `/v1/health/service/web?dc=dc2&index=${index}&wait=60s`).finally(() => {
      done = true;
    });
    await register(dc1, { ...WEB, ID: 'other' });
    expect((await dc1.call('GET', '/v1/health/service/web?dc=dc2')).status).toBe(200);
    expect(done).toBe(false);
    await register(dc2, { ...WEB, ID: 'web-2' });
    expect((await waiting).json).toHaveLength(2);
    const timed = await dc1.call('GET', '/v1/kv/k?dc=dc2&index=1&wait=20ms');
    expect(timed.status).toBe(404);
  });

  test('what was said is told, marked, while the datacenter is away; then what is so', async () => {
    const { dc1, dc2 } = await two();
    await register(dc2, WEB);
    const before = await dc1.call('GET', '/v1/health/service/web?dc=dc2');
    await dc2.stop();
    for (const parameters of ['', '&stale', '&cached']) {
      const copy = await dc1.call('GET', `/v1/health/service/web?dc=dc2${parameters}`);
      expect(copy.json).toEqual(before.json);
      expect(copy.headers.get('x-consul-knownleader')).toBe('false');
      expect(Number(copy.headers.get('x-consul-lastcontact'))).toBeGreaterThan(0);
      expect(copy.headers.get('x-consul-effective-consistency')).toBe('stale');
      expect(copy.headers.get('x-cache')).toBe('HIT');
      expect(copy.headers.get('x-consul-index')).toBe(before.headers.get('x-consul-index'));
    }
    const away = { status: 500, text: 'Remote DC has no server currently reachable' };
    expect(await dc1.call('GET', '/v1/health/service/web?dc=dc2&consistent')).toMatchObject(away);
    expect(await dc1.call('GET', '/v1/health/service/web?dc=dc2&max_stale=1us')).toMatchObject(away);
    expect(await dc1.call('GET', '/v1/health/service/other?dc=dc2')).toMatchObject(away);
    expect(await dc1.call('PUT', '/v1/kv/x?dc=dc2', 'x')).toMatchObject(away);
    expect(dc1.lines.filter(({ message }) => message.startsWith('datacenter is away'))).toHaveLength(1);
    const metrics = await (await fetch(`${dc1.stats}/metrics`)).text();
    expect(metrics).toContain('vane_datacenter_up{datacenter="dc2"} 0');
    expect(metrics).toMatch(/vane_datacenter_failures_total\{datacenter="dc2"\} [1-9]/);
    expect(metrics).toMatch(/vane_datacenter_stale_answers_total\{datacenter="dc2"\} [1-9]/);
    expect(metrics).toMatch(/vane_datacenter_age_seconds\{datacenter="dc2"\} \d/);

    await restarted(dc2);
    await eventually(async () => {
      const now = await dc1.call('GET', '/v1/health/service/web?dc=dc2');
      expect(now.json).toEqual([]);
      expect(now.headers.get('x-consul-knownleader')).toBe('true');
    });
    expect(dc1.lines.map(({ message }) => message)).toContain('datacenter answers again');
  });

  test('a blocking query outlasts the absence, instead of returning at once each time', async () => {
    const { dc1, dc2 } = await two();
    await register(dc2, WEB);
    const path = '/v1/health/service/web?dc=dc2';
    const index = (await dc1.call('GET', path)).headers.get('x-consul-index');
    await dc2.stop();
    let done = false;
    const waiting = dc1.call('GET', `${path}&index=${index}&wait=60s`).finally(() => {
      done = true;
    });
    await eventually(() => expect(dc1.app.ports.registryHttp).toBeDefined());
    expect((await dc1.call('GET', path)).json).toHaveLength(1);
    expect(done).toBe(false);
    const again = await restarted(dc2);
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await register(again, { ...WEB, ID: id });
    expect((await waiting).headers.get('x-consul-knownleader')).toBe('true');
  });

  test('one that never answers is given up after its timeout', async () => {
    const silent = createServer((socket) => socket.resume());
    const silentPort = await listening(silent, atEnd);
    const dc1 = await start(
      'dc1',
      `datacenters: { dc2: { http: "http://127.0.0.1:${silentPort}", timeout: 50ms } }`,
    );
    const answer = await dc1.call('GET', '/v1/catalog/nodes?dc=dc2');
    expect(answer).toMatchObject({ status: 500, text: 'Remote DC has no server currently reachable' });
    const line = dc1.lines.find(({ message }) => message.startsWith('datacenter is away'));
    expect(String(line?.fields.error)).toContain('has not answered within 50 ms');
  });

  test('an https one is trusted by its ca-file, and by nobody without', async () => {
    const { key, cert } = selfSigned('localhost');
    const dc2 = await start('dc2');
    await register(dc2, WEB);
    const door = createSecureServer({ key, cert }, (socket) => {
      const inside = connect(Number(new URL(dc2.base).port), '127.0.0.1');
      for (const each of [socket, inside]) each.on('error', () => each.destroy());
      socket.pipe(inside).pipe(socket);
    });
    const doorPort = await listening(door, atEnd);
    const http = `https://localhost:${doorPort}`;
    const folder = mkdtempSync(join(tmpdir(), 'vane-datacenter-'));
    atEnd(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'ca.pem'), cert);
    const trusting = await start(
      'dc1',
      `datacenters: { dc2: { http: "${http}", ca-file: ${folder}/ca.pem } }`,
    );
    expect((await trusting.call('GET', '/v1/health/service/web?dc=dc2')).json).toHaveLength(1);
    expect((await trusting.dns('web.service.dc2.consul')).answers).toMatchObject([{ data: '10.2.0.1' }]);
    const doubting = await start('dc1', `datacenters: { dc2: { http: "${http}" } }`);
    expect((await doubting.call('GET', '/v1/health/service/web?dc=dc2')).status).toBe(500);
    expect(JSON.stringify(doubting.lines)).toContain('self-signed certificate');
  });

  test('two that name each other do not hand a request back and forth', async () => {
    const dc1 = await start('dc1');
    const dc2 = await start(
      'dc2',
      `datacenters: { dc1: { http: "${dc1.base}" }, dc3: { http: "${dc1.base}" } }`,
    );
    await dc1.reload(`datacenters: { dc2: { http: "${dc2.base}" }, dc3: { http: "${dc2.base}" } }`);
    await register(dc1, WEB);
    expect((await dc2.call('GET', '/v1/health/service/web?dc=dc1')).json).toHaveLength(1);
    // Each takes the other for dc3, and neither is.
    const lost = await dc2.call('GET', '/v1/health/service/web?dc=dc3');
    expect(lost).toMatchObject({ status: 500, text: 'No path to datacenter' });
    expect((await dc2.dns('web.service.dc3.consul')).rcode).toBe('SERVFAIL');
  });

  test('a reload adds and removes them', async () => {
    const { dc1, dc2 } = await two();
    await register(dc2, WEB);
    await dc1.reload('');
    expect((await dc1.call('GET', '/v1/health/service/web?dc=dc2')).text).toBe('No path to datacenter');
    await dc1.reload(`datacenters: { east: { http: "${dc2.base}" } }`);
    expect((await dc1.call('GET', '/v1/catalog/datacenters')).json).toEqual(['dc1', 'east']);
    // dc2 says that it is not of that name.
    expect((await dc1.call('GET', '/v1/health/service/web?dc=east')).text).toBe('No path to datacenter');
  });

  test('stopping does not wait for blocking queries that are under way there', async () => {
    const { dc1 } = await two();
    const index = (await dc1.call('GET', '/v1/catalog/nodes?dc=dc2')).headers.get('x-consul-index');
    const waiting = dc1.call('GET', `/v1/catalog/nodes?dc=dc2&index=${index}&wait=60s`);
    await dc1.call('GET', '/v1/catalog/nodes?dc=dc2');
    await dc1.stop();
    expect((await waiting).status).toBe(200);
  });
});

describe('what may be asked elsewhere', () => {
  const there = 'token-of-everything-there';
  const tokens = [
    '{ token: web-token-of-dc1-here, policy: read, services: [web], keys: ["web/*"] }',
    '{ token: reader-of-all-of-dc1, policy: read }',
    '{ token: writer-of-all-of-dc1, policy: register, services: ["*"], keys: ["*"], nodes: ["*"] }',
  ];

  async function guarded() {
    const dc2 = await start('dc2', `tokens: [{ token: ${there}, policy: admin }]`);
    const dc1 = await start(
      'dc1',
      `datacenters: { dc2: { http: "${dc2.base}", token: ${there} } }, tokens: [${tokens.join(', ')}]`,
    );
    const as = (token: string) => (method: string, path: string, body?: unknown) =>
      dc1.call(method, path, body, token === '' ? {} : { 'X-Consul-Token': token });
    await dc2.call('PUT', '/v1/agent/service/register', WEB, { 'X-Consul-Token': there });
    await dc2.call('PUT', '/v1/kv/web/a', 'x', { 'X-Consul-Token': there });
    return { dc1, dc2, as };
  }

  test('a client needs the right here; then the configured token is shown there', async () => {
    const { as } = await guarded();
    const web = as('web-token-of-dc1-here');
    expect((await web('GET', '/v1/health/service/web?dc=dc2')).json).toHaveLength(1);
    expect((await web('GET', '/v1/kv/web/a?dc=dc2&raw')).text).toBe('x');
    expect((await web('GET', '/v1/kv/web/?dc=dc2&keys')).json).toEqual(['web/a']);
    for (const path of [
      '/v1/health/service/db?dc=dc2',
      '/v1/catalog/services?dc=dc2',
      '/v1/kv/other?dc=dc2',
      '/v1/kv/w?dc=dc2&recurse',
    ]) {
      const answer = await web('GET', path);
      expect([403, 500], path).toContain(answer.status);
    }
    expect(await web('PUT', '/v1/kv/web/a?dc=dc2', 'y')).toMatchObject({
      status: 403,
      text: 'Permission denied',
    });
    expect((await as('reader-of-all-of-dc1')('GET', '/v1/catalog/services?dc=dc2')).status).toBe(200);
    expect((await as('reader-of-all-of-dc1')('PUT', '/v1/kv/web/a?dc=dc2', 'y')).status).toBe(403);
    expect((await as('writer-of-all-of-dc1')('PUT', '/v1/kv/web/a?dc=dc2', 'y')).json).toBe(true);
    expect((await as('writer-of-all-of-dc1')('PUT', '/v1/event/fire/x?dc=dc2')).status).toBe(403);
    expect((await as('')('GET', '/v1/catalog/services?dc=dc2')).status).toBe(403);
    expect(await as('token-of-nobody-here')('GET', '/v1/catalog/nodes?dc=dc2')).toMatchObject({
      status: 403,
      text: 'ACL not found',
    });
  });

  test('a token that is taken back while its query waits there is told nothing', async () => {
    const { dc1, dc2, as } = await guarded();
    const web = as('web-token-of-dc1-here');
    const index = (await web('GET', '/v1/health/service/web?dc=dc2')).headers.get('x-consul-index');
    const waiting = web('GET', `/v1/health/service/web?dc=dc2&index=${index}&wait=60s`);
    await eventually(() => expect(dc2.app.ports.registryHttp).toBeDefined());
    await dc1.reload(
      `datacenters: { dc2: { http: "${dc2.base}", token: ${there} } }, tokens: [${tokens[1]}]`,
    );
    await dc2.call('PUT', '/v1/agent/service/register', { ...WEB, ID: 'next' }, { 'X-Consul-Token': there });
    expect(await waiting).toMatchObject({ status: 403, text: 'ACL not found' });
  });

  test('a path with backslashes or dots stays the path that was allowed', async () => {
    const { as } = await guarded();
    const raw = '/v1/kv/web/%5C..%5C..%5C..%5Cagent%5Cself?dc=dc2';
    const answer = await as('web-token-of-dc1-here')('GET', raw);
    expect(answer.status).toBe(404);
    expect(answer.text).toBe('');
  });

  test('nor does a path that says so without being encoded lead elsewhere', async () => {
    const { dc1 } = await guarded();
    const client = await RawClient.connect(Number(new URL(dc1.base).port));
    atEnd(() => client.socket.destroy());
    const token = 'X-Consul-Token: web-token-of-dc1-here';
    client.send(
      `GET /v1/kv/web/\\..\\..\\..\\agent\\self?dc=dc2 HTTP/1.1\r\nHost: localhost\r\n${token}\r\n\r\n`,
    );
    const answer = await client.answer();
    expect(answer.line).toBe('HTTP/1.1 404 Not Found');
    expect(answer.body).toBe('');
  });
});

function statusAndText({ status, text }: { status: number; text: string }) {
  return { status, text };
}
