import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as encrypt } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AppUnderTest, startApp } from '../helpers/app.ts';
import { startVane } from '../helpers/drill-vane.ts';
import { eventually } from '../helpers/eventually.ts';
import { askH2, follow, openH2 } from '../helpers/h2-client.ts';
import { selfSigned } from '../helpers/self-signed.ts';
import { startWeb } from '../helpers/web.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-h2-'));
  const { key, cert } = selfSigned('a.example');
  writeFileSync(join(folder, 'a.pem'), cert + key);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const configOf = (backend: number | string, more = '', words = '') => `
defaults: { timeout: { http-request: 2s, client: 5s, connect: 1s } }
frontends:
  www:
    bind: "127.0.0.1:0 ssl crt ${join(folder, 'a.pem')} ${words}"
    option: [forwardfor, httplog]
    ${more}
    default_backend: web
backends: { web: { retries: 2, option: redispatch, servers: [{ address: "127.0.0.1:${backend}" }] } }
`;

const portOf = (vane: AppUnderTest) => Number(new URL(vane.frontend('www')).port);

async function metrics(vane: AppUnderTest): Promise<string> {
  return (await fetch(`${vane.stats}/metrics`)).text();
}

test('requests are told of, logged and counted like any others', async () => {
  await using web = await startWeb((request, response) => {
    const {
      'x-forwarded-proto': proto,
      'x-forwarded-for': client,
      'x-forwarded-host': host,
    } = request.headers;
    response.end(`${request.httpVersion} ${proto} ${client} ${host} ${request.headers.host}`);
  });
  await using vane = await startApp(configOf(web.port));
  const session = openH2(portOf(vane));
  const answer = await askH2(session, { ':authority': 'a.example', ':path': '/x?y' });
  expect(answer).toMatchObject({ status: 200, body: '1.1 https 127.0.0.1 a.example a.example', code: 0 });
  await eventually(() => expect(vane.access).toHaveLength(1));
  expect(vane.access[0]).toMatchObject({
    request: { method: 'GET', target: '/x?y', httpVersion: '2.0' },
    status: 200,
    server: `127.0.0.1:${web.port}`,
    termination: '--',
  });
  const counted = await metrics(vane);
  expect(counted).toMatch(/haproxy_frontend_http_requests_total\{proxy="www"\} 1\n/);
  expect(counted).toMatch(/haproxy_frontend_current_sessions\{proxy="www"\} 1\n/);
  session.close();
  await eventually(async () =>
    expect(await metrics(vane)).toMatch(/haproxy_frontend_current_sessions\{proxy="www"\} 0\n/),
  );
});

test('rules and failures are answered, and the connection goes on', async () => {
  const rules = 'http-request: ["deny if { path /no }", "redirect location /new if { path /old }"]';
  await using vane = await startApp(configOf(1, rules));
  const session = openH2(portOf(vane));
  expect(await askH2(session, { ':path': '/no' })).toMatchObject({ status: 403, code: 0 });
  const moved = await askH2(session, { ':path': '/old' });
  expect([moved.status, moved.headers.location]).toEqual([302, '/new']);
  const failed = await askH2(session, { ':path': '/' });
  expect(failed).toMatchObject({ status: 503, code: 0 });
  expect(failed.headers['x-vane-reason']).toBe('CONNECT_REFUSED');
  await eventually(() => expect(vane.access).toHaveLength(3));
  expect(vane.access.map(({ termination }) => termination)).toEqual(['PR', 'LR', 'SC']);
  expect(vane.access[2]).toMatchObject({ retries: 2 });
  expect(session.closed).toBe(false);
  session.close();
});

test('a client behind the PROXY protocol is who that says', async () => {
  await using web = await startWeb('hello');
  await using vane = await startApp(configOf(web.port, '', 'accept-proxy'));
  const below = connectPlain(portOf(vane), '127.0.0.1');
  below.write('PROXY TCP4 192.0.2.7 192.0.2.8 1000 443\r\n');
  const createConnection = () => encrypt({ socket: below, ALPNProtocols: ['h2'], rejectUnauthorized: false });
  const session = openH2(portOf(vane), { createConnection });
  expect(await askH2(session, {})).toMatchObject({ status: 200, body: 'hello' });
  await eventually(() =>
    expect(vane.access).toMatchObject([{ client: { address: '192.0.2.7', port: 1000 } }]),
  );
  session.close();
});

test('without TLS clients just speak it where the address says so, behind the PROXY protocol too', async () => {
  await using web = await startWeb((request, response) =>
    response.end(`${request.headers['x-forwarded-proto']} ${request.headers['x-forwarded-for']}`),
  );
  const clear = (words: string) => configOf(web.port).replace(/ssl crt \S+ /, words);
  await using vane = await startApp(clear('proto h2'));
  const session = openH2(portOf(vane), {}, 'http');
  const answers = await Promise.all(
    [1, 2, 3].map(() => askH2(session, { ':method': 'POST' }, 'x'.repeat(100_000))),
  );
  for (const answer of answers)
    expect(answer).toMatchObject({ status: 200, body: 'http 127.0.0.1', code: 0 });
  session.close();
  const old = connectPlain(portOf(vane), '127.0.0.1');
  old.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise((resolve) => old.once('close', resolve).resume());
  await eventually(() => expect(vane.access.at(-1)).toMatchObject({ termination: 'PR', status: -1 }));

  await using behind = await startApp(clear('proto h2 accept-proxy'));
  const below = connectPlain(portOf(behind), '127.0.0.1');
  below.write('PROXY TCP4 192.0.2.7 192.0.2.8 1000 80\r\n');
  const proxied = openH2(portOf(behind), { createConnection: () => below }, 'http');
  expect(await askH2(proxied, {})).toMatchObject({ status: 200, body: 'http 192.0.2.7', code: 0 });
  proxied.close();
});

test('a reload that takes the frontend away lets streams finish, and says goodbye', async () => {
  let answer = () => {};
  await using web = await startWeb((request, response) => {
    if (request.url !== '/slow') response.end('quick');
    else answer = () => response.end('slow');
  });
  await using vane = await startApp(configOf(web.port));
  const port = portOf(vane);
  const busy = openH2(port);
  const idle = openH2(port);
  const ended = new Promise((resolve) => idle.once('close', resolve));
  await askH2(idle, {});
  const slow = follow(busy.request({ ':path': '/slow' }));
  await eventually(() => expect(answer.name).toBe('answer'));
  const goodbye = new Promise((resolve) => busy.once('goaway', resolve));
  await vane.reload(configOf(web.port).replace('www:', 'other:'));
  await ended;
  answer();
  expect(await goodbye).toBe(0);
  expect(await slow.closed).toMatchObject({ status: 200, body: 'slow', code: 0 });
  await eventually(() => expect(busy.destroyed).toBe(true));
});

test('a graceful stop waits for streams, and cuts those that take too long', async () => {
  let quick = () => {};
  let asked = 0;
  await using web = await startWeb((request, response) => {
    asked++;
    response.write('begun');
    if (request.url === '/quick') quick = () => response.end('done');
  });
  const vane = await startApp(configOf(web.port));
  const session = openH2(portOf(vane));
  const first = follow(session.request({ ':path': '/quick' }));
  const endless = follow(session.request({ ':path': '/endless' }));
  await eventually(() => {
    expect([asked, first.answer.body, endless.answer.body]).toEqual([2, 'begun', 'begun']);
  });
  const stopped = vane.app.stop();
  quick();
  expect(await first.closed).toMatchObject({ body: 'begundone', code: 0 });
  expect(endless.answer.code).toBeUndefined();
  await stopped;
  await endless.closed;
  await eventually(() => expect(vane.access).toHaveLength(2));
  expect(vane.access.find(({ termination }) => termination !== '--')).toMatchObject({ status: 200 });
});

test('a connection counts as one, however many streams it has', async () => {
  await using web = await startWeb('hello');
  await using vane = await startApp(configOf(web.port, 'maxconn: 1'));
  const session = openH2(portOf(vane));
  const answers = await Promise.all([1, 2, 3].map(() => askH2(session, {})));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  const second = encrypt({ port: portOf(vane), host: '127.0.0.1', rejectUnauthorized: false });
  second.on('error', () => {});
  const refused = new Promise((resolve) => second.once('close', resolve));
  await refused;
  expect(await askH2(session, {})).toMatchObject({ status: 200 });
  session.close();
});

test('bodies of any size go both ways, many at once', async () => {
  await using web = await startWeb(async (request, response) => {
    response.end(await text(request));
  });
  await using vane = await startApp(configOf(web.port));
  const session = openH2(portOf(vane));
  const body = 'x'.repeat(2_000_000);
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => askH2(session, { ':method': 'POST' }, body)),
  );
  for (const answer of answers) {
    expect(answer).toMatchObject({ status: 200, code: 0 });
    expect(answer.body.length).toBe(body.length);
  }
  session.close();
});

test('workers take them too, and offer as many streams as are configured', async () => {
  await using web = await startWeb('hello');
  await using vane = await startVane(
    ({ frontend, stats }) => `
global:
  { workers: 2, stats: { bind: "${stats}" }, hard-stop-after: 5s, tune: { h2: { max-concurrent-streams: 3 } } }
registry: off
frontends: { www: { bind: "${frontend} ssl crt ${join(folder, 'a.pem')}", default_backend: web } }
backends: { web: { servers: ["127.0.0.1:${web.port}"] } }
`,
  );
  const port = Number(vane.places.frontend.split(':')[1]);
  for (let i = 0; i < 6; i++) {
    const session = openH2(port);
    // Whoever does not know the limit yet has too many refused.
    await askH2(session, {});
    const answers = await Promise.all(Array.from({ length: 20 }, () => askH2(session, {})));
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: 'hello', code: 0 });
    expect(session.remoteSettings.maxConcurrentStreams).toBe(3);
    session.close();
  }
});
