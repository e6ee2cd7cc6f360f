import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import type { BackendExplanation } from '../../src/control/explain.ts';
import { startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';
import { startProgram } from '../helpers/program.ts';
import { startWeb } from '../helpers/web.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-explain-'));
afterAll(() => rmSync(folder, { recursive: true }));

const CHECKED = `
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { servers: [{ domain: web.service.consul, drain: 5s, check: "inter 20ms fall 3" }] } }
`;

function service(id: string, port: number, more: object = {}) {
  return { Name: 'web', ID: id, Address: '127.0.0.1', Port: port, ...more };
}

async function explained(stats: string, server?: string): Promise<BackendExplanation> {
  const answer = await fetch(
    `${stats}/explain?backend=web${server === undefined ? '' : `&server=${server}`}`,
  );
  expect(answer.status).toBe(200);
  return (await answer.json()) as BackendExplanation;
}

/** As a browser or a program would ask, with any headers, `Host` too. */
function operate(
  stats: string,
  server: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(stats);
    const path = `/server?backend=web&server=${server}`;
    const asked = request({ hostname, port, path, method: 'POST', headers, agent: false }, (answer) => {
      void text(answer).then((read) => resolve({ status: answer.statusCode, body: read }), reject);
    });
    asked.once('error', reject);
    asked.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

test('why a server is out is told with what checks found, and how often in a row', async () => {
  await using a = await startWeb('a');
  await using vane = await startApp(CHECKED);
  await vane.register(service('a', a.port));
  await eventually(async () => {
    const [server] = (await explained(vane.stats)).servers;
    expect(server).toMatchObject({ server: 'a', work: 'open', health: { check: { lastCode: 'L4OK' } } });
  });
  await a[Symbol.asyncDispose]();
  await eventually(async () => expect((await explained(vane.stats)).servers[0]?.work).toBe('closed'));
  const { up, servers, events, names } = await explained(vane.stats, 'a');
  expect(up).toBe(false);
  expect(names).toMatchObject([
    { domain: 'web.service.consul', resolvers: 'builtin', found: 1, kept: false },
  ]);
  const refused = expect.stringMatching(
    /^Layer4 connection problem, info: "Connection refused".*, 3 in a row$/,
  );
  expect(servers).toMatchObject([
    {
      decided: { source: 'health', why: refused },
      discovery: { present: true, why: 'found by web.service.consul', held: false },
      operator: { mode: 'ready' },
    },
  ]);
  expect(servers[0]?.events).toMatchObject([
    { source: 'discovery', says: 'found', to: 'open' },
    { source: 'health', says: 'down', why: refused, to: 'draining' },
    { source: 'drain', says: 'no work left', to: 'closed' },
  ]);
  expect(events.map(({ says }) => says)).toEqual(['has a server', 'no server available']);
});

test('why a server has left is told after it has', async () => {
  await using vane = await startApp(CHECKED);
  await vane.register(service('a', 1, { Check: { CheckID: 'ttl', TTL: '1h', Status: 'passing' } }));
  await fetch(`${vane.registry}/v1/agent/check/fail/ttl?note=disk+full`, { method: 'PUT' });
  await eventually(async () => {
    const { servers, departed, names } = await explained(vane.stats, 'a');
    expect(servers).toEqual([]);
    expect(departed).toMatchObject([{ server: 'a' }]);
    const lost = departed[0]?.events.find(({ says }) => says === 'lost');
    expect(lost).toMatchObject({ source: 'discovery', why: expect.stringMatching(/critical.*disk full/) });
    expect(names[0]?.excluded).toMatchObject([{ name: 'a', why: expect.stringMatching(/disk full/) }]);
  });
});

test('an operator weighs a server, and that is told', async () => {
  await using a = await startWeb('a');
  await using vane = await startApp(CHECKED);
  await vane.register(service('a', a.port));
  const weighed = { weight: '50%', by: 'alice', reason: 'canary' };
  expect(await operate(vane.stats, 'a', weighed)).toMatchObject({
    status: 200,
    body: '{"weight":"50%","servers":1}\n',
  });
  const [server] = (await explained(vane.stats, 'a')).servers;
  expect(server).toMatchObject({ weight: 0.5, work: 'open' });
  expect(server?.events.at(-1)).toMatchObject({ source: 'operator', why: 'weight 50% by alice: canary' });
  expect(await operate(vane.stats, 'a', { weight: 7 })).toMatchObject({ status: 200 });
  expect((await explained(vane.stats, 'a')).servers[0]?.weight).toBe(7);
  for (const weight of ['257', -1, '1.5', 'much', '99999%', null]) {
    expect((await operate(vane.stats, 'a', { weight })).status).toBe(400);
  }
});

describe('guards', () => {
  test('hold back servers that vanish too many at once, and are explained', async () => {
    await using web = await startWeb('web');
    await using vane = await startApp(`
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { servers: [{ domain: web.service.consul, drain: 0, max-removal: "50% per 300ms" }] } }
`);
    for (const id of ['a', 'b', 'c', 'd']) await vane.register(service(id, web.port));
    await eventually(async () => expect((await explained(vane.stats)).servers).toHaveLength(4));
    // What a registry that has lost its memory would say.
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => vane.deregister(id)));
    const { servers, names } = await explained(vane.stats);
    expect(servers.length).toBeGreaterThan(0);
    expect(names[0]?.held).toEqual(
      servers.filter(({ discovery }) => discovery.held).map(({ server }) => server),
    );
    expect(servers.at(-1)?.events.at(-1)).toMatchObject({ source: 'guard', says: 'held back' });
    expect(await (await fetch(`${vane.stats}/metrics`)).text()).toMatch(
      /vane_discovery_held\{proxy="web",domain="web.service.consul"\} [1-4]\n/,
    );
    await eventually(async () => expect((await explained(vane.stats)).servers).toEqual([]));
    expect(vane.lines.map(({ message }) => message)).toContain(
      'name has lost too many servers at once, some are held',
    );
  });

  test('keep a backend at work on servers that are down when too few are up', async () => {
    await using a = await startWeb('a');
    const check = 'check: "inter 20ms fall 1 rise 1 port 1"';
    const backend = (threshold: string) => `
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { panic-threshold: ${threshold}, servers: [{ domain: web.service.consul, ${check} }] } }
`;
    await using vane = await startApp(backend('50%'));
    await vane.register(service('a', a.port));
    await eventually(async () => {
      const { panic, servers } = await explained(vane.stats);
      expect(panic).toMatchObject({ threshold: 50, active: true, entered: 1 });
      expect(servers).toMatchObject([{ work: 'open', health: { up: false }, decided: { source: 'panic' } }]);
    });
    expect(await (await fetch(vane.frontend('www'))).text()).toBe('a');
    expect(await (await fetch(`${vane.stats}/metrics`)).text()).toMatch(
      /vane_panic\{proxy="web"\} 1\n[\s\S]*vane_panics_total\{proxy="web"\} 1\n/,
    );
    // In maintenance it is not used, panic or not.
    await operate(vane.stats, 'a', { state: 'maint' });
    expect((await fetch(vane.frontend('www'))).status).toBe(503);
    await operate(vane.stats, 'a', { state: 'ready' });
    expect(await (await fetch(vane.frontend('www'))).text()).toBe('a');
    await vane.reload(backend('0'));
    expect((await explained(vane.stats)).panic).toMatchObject({ active: false });
    expect((await fetch(vane.frontend('www'))).status).toBe(503);
    expect(vane.events()).toContain('backend web: panic: all servers are used, those that are down too');
    expect(vane.events()).toContain('backend web: panic is over');
  });
});

describe('an operator', () => {
  test('takes a server out and puts it back, and the history says who and why', async () => {
    await using a = await startWeb('a');
    await using vane = await startApp(CHECKED);
    await vane.register(service('a', a.port));
    const done = await operate(vane.stats, 'a', { state: 'drain', by: 'alice', reason: 'new\nkernel' });
    expect(done).toEqual({ status: 200, body: '{"state":"drain","servers":1}\n' });
    expect((await fetch(vane.frontend('www'))).status).toBe(503);
    await operate(vane.stats, `127.0.0.1:${a.port}`, { state: 'ready' });
    expect(await (await fetch(vane.frontend('www'))).text()).toBe('a');
    const said = (await explained(vane.stats)).servers[0]?.events.filter(
      ({ source }) => source === 'operator',
    );
    expect(said).toMatchObject([
      { says: 'drain', why: 'drain by alice: new kernel', to: 'draining' },
      { says: 'ready', why: 'ready by a client at 127.0.0.1', to: 'open' },
    ]);
  });

  test.each([
    ['of a page of another origin', { origin: 'http://evil.example' }, 403],
    ['that a browser sends across sites', { 'sec-fetch-site': 'cross-site' }, 403],
    ['by DNS rebinding', { host: 'evil.example' }, 403],
    ['of a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['of plain text', { 'content-type': 'text/plain' }, 415],
  ])('is not a request %s', async (_, headers, status) => {
    await using a = await startWeb('a');
    await using vane = await startApp(CHECKED);
    await vane.register(service('a', a.port));
    const answer = await operate(
      vane.stats,
      'a',
      { state: 'maint' },
      { 'content-type': 'application/json', ...headers },
    );
    expect(answer.status).toBe(status);
    expect((await explained(vane.stats)).servers).toMatchObject([{ operator: { mode: 'ready' } }]);
  });

  test.each<[string, unknown, number]>([
    ['a', { state: 'off' }, 400],
    ['a', [], 400],
    ['a', '{"state":', 400],
    ['a', { state: 'maint', reason: 'x'.repeat(5_000) }, 413],
    ['b', { state: 'maint' }, 404],
  ])('who asks for %s %j gets %3$d', async (server, body, status) => {
    await using vane = await startApp(CHECKED);
    await vane.register(service('a', 1));
    expect((await operate(vane.stats, server, body)).status).toBe(status);
  });
});

test('questions about what is not there are answered with what is', async () => {
  await using vane = await startApp(CHECKED);
  const ask = async (query: string) => {
    const answer = await fetch(`${vane.stats}/explain${query}`);
    return `${answer.status} ${await answer.text()}`;
  };
  expect(await ask('')).toBe('400 Which backend? ?backend=web\n');
  expect(await ask('?backend=wbe')).toBe('404 no backend is called wbe; there are web\n');
  expect(await ask('?backend=web&server=a')).toBe('404 backend web has no server a, and had none of late\n');
});

test('vane explain and vane server speak to the process that runs with the file', async () => {
  await using a = await startWeb('a');
  await using vane = await startApp(CHECKED);
  await vane.register(service('a', a.port));
  const file = join(folder, 'vane.yaml');
  writeFileSync(file, `global: { stats: { bind: "${new URL(vane.stats).host}" } }\n${CHECKED}`);
  const run = async (...args: string[]) => {
    await using program = startProgram(process.execPath, ['src/bin/vane.mjs', ...args, '-f', file]);
    const code = await program.ended;
    return `${code} ${program.output()}`;
  };
  expect(await run('server', 'web/a', 'maint', '--reason', 'new kernel')).toBe('0 web/a: maint\n');
  expect(await run('explain', 'web')).toMatch(
    /^0 backend web: DOWN[\s\S]*operator: maint by \w.*: new kernel/,
  );
  expect(await run('explain', 'web', 'a')).toMatch(
    /OUT: [\s\S]*because of operator: maint by \w+.*: new kernel/,
  );
  expect(JSON.parse((await run('explain', 'web', 'a', '--json')).slice(2))).toMatchObject({ backend: 'web' });
  expect(await run('server', 'web/b', 'maint')).toBe('1 Not done: backend web has no server b\n');
  expect(await run('explain', 'api')).toBe('1 No explanation: no backend is called api; there are web\n');
  expect(await run('server', 'a', 'maint')).toMatch(/^2 .*It is not BACKEND\/SERVER/);
  expect(await run('server', 'web/a', 'off')).toMatch(/^2 .*ready, drain, maint/);
});
