import { describe, expect, test } from 'vitest';
import { startApp } from '../helpers/app.ts';
import { type Script, startDnsServer } from '../helpers/dns-server.ts';
import { eventually } from '../helpers/eventually.ts';
import { startWeb } from '../helpers/web.ts';

function webOver(lane: string): string {
  return `
frontends: { www: { bind: "127.0.0.1:0", option: [http-lane ${lane}], default_backend: web } }
backends: { web: { servers: [{ domain: web.service.consul, interval: 1h, drain: 5s }] } }
`;
}

const WEB = webOver('direct');

async function textOf(url: string): Promise<string> {
  const answer = await fetch(url);
  return `${answer.status} ${await answer.text()}`;
}

describe.each(['direct', 'compat'])('a name, over the %s lane,', (lane) => {
  const WEB = webOver(lane);

  test('is followed at once, whatever the interval', async () => {
    await using a = await startWeb('a');
    await using vane = await startApp(WEB);
    expect(await textOf(vane.frontend('www'))).toMatch(/^503/);
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
    expect(await textOf(vane.frontend('www'))).toBe('200 a');
    await vane.deregister('a');
    expect(await textOf(vane.frontend('www'))).toMatch(/^503/);
    await eventually(() =>
      expect(vane.events()).toEqual([
        'backend web has no server yet',
        'server web/a takes requests',
        'server web/a gets no new requests',
        'backend web has no server available',
        'server web/a is gone',
      ]),
    );
  });

  test('gives the reason when an instance is left out', async () => {
    await using a = await startWeb('a');
    await using vane = await startApp(WEB);
    const check = { CheckID: 'ttl', TTL: '1h', Status: 'passing' };
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port, Check: check });
    await fetch(`${vane.registry}/v1/agent/check/fail/ttl?note=disk+full`, { method: 'PUT' });
    const line = vane.lines.find(({ message }) => message === 'server web/a gets no new requests');
    expect(line?.fields).toMatchObject({
      backend: 'web',
      server: 'a',
      address: `127.0.0.1:${a.port}`,
      from: 'open',
      to: 'draining',
      source: 'discovery',
      why: expect.stringMatching(/critical.*disk full/),
      open: 0,
    });
  });

  test('whose instance comes back while it drains is the same server as before', async () => {
    let finish = () => {};
    const asked = Promise.withResolvers<void>();
    await using a = await startWeb((request, response) => {
      if (request.url === '/slow') {
        finish = () => response.end('slow');
        asked.resolve();
      } else response.end('fast');
    });
    await using vane = await startApp(WEB);
    const service = { Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port };
    await vane.register(service);
    const slow = textOf(`${vane.frontend('www')}/slow`);
    await asked.promise;
    await vane.deregister('a');
    expect(await textOf(vane.frontend('www'))).toMatch(/^503/);
    await vane.register(service);
    expect(await textOf(vane.frontend('www'))).toBe('200 fast');
    finish();
    expect(await slow).toBe('200 slow');
    const metrics = await (await fetch(`${vane.stats}/metrics`)).text();
    expect(metrics).toContain('haproxy_server_http_requests_total{proxy="web",server="a"} 2');
    expect(metrics).toContain('vane_drains_total{proxy="web",result="cancelled"} 1');
  });

  test('with a drain that takes too long has its work cut at the deadline', async () => {
    const asked = Promise.withResolvers<void>();
    await using a = await startWeb((_, response) => {
      response.write('begun');
      asked.resolve();
    });
    await using vane = await startApp(WEB.replace('5s', '100ms'));
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
    const broken = fetch(vane.frontend('www')).then((answer) => answer.text());
    await asked.promise;
    await vane.deregister('a');
    await expect(broken).rejects.toThrow();
    await eventually(() => expect(vane.events()).toContain('server web/a is gone'));
    await eventually(() => {
      expect(vane.events()).toContain('server web/a is gone before its work was done: 1 cut');
    });
    const gone = vane.lines.find(({ message }) => message === 'server web/a is gone');
    expect(gone?.fields).toMatchObject({ source: 'drain', why: 'drain time over' });
    const metrics = await (await fetch(`${vane.stats}/metrics`)).text();
    expect(metrics).toContain('vane_drains_total{proxy="web",result="expired"} 1');
  });
});

test('an instance that nobody could connect to is told of, once', async () => {
  await using a = await startWeb('a');
  await using vane = await startApp(WEB);
  await vane.register({ Name: 'web', ID: 'portless', Address: '127.0.0.1' });
  await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
  expect(await textOf(vane.frontend('www'))).toBe('200 a');
  const lines = vane.lines.filter(
    ({ message }) => message === 'instance portless cannot be a server of backend web',
  );
  expect(lines).toMatchObject([{ level: 'warn', fields: { why: expect.stringContaining('port') } }]);
});

describe('an active check', () => {
  const CHECKED = (port: number) => `
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends:
  web:
    option: [httpchk GET /health]
    timeout: { check: 5s }
    servers: [{ address: "127.0.0.1:${port}", check: inter 50ms fall 2 rise 2 }]
`;

  test('takes a server out and brings it back', async () => {
    let health = 200;
    await using a = await startWeb((request, response) => {
      response.statusCode = request.url === '/health' ? health : 200;
      response.end('a');
    });
    await using vane = await startApp(CHECKED(a.port));
    expect(await textOf(vane.frontend('www'))).toBe('200 a');
    health = 500;
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toMatch(/^503/));
    const line = vane.lines.find(({ message }) => message.endsWith('gets no new requests'));
    expect(line?.fields).toMatchObject({
      source: 'health',
      why: expect.stringContaining('Layer7 wrong status, code: 500'),
    });
    health = 200;
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 a'));
  });

  test('that a reload takes away no longer speaks against a server', async () => {
    await using a = await startWeb((request, response) => {
      response.statusCode = request.url === '/health' ? 500 : 200;
      response.end('a');
    });
    await using vane = await startApp(CHECKED(a.port));
    await eventually(async () => expect(await textOf(vane.frontend('www'))).toMatch(/^503/));
    await vane.reload(CHECKED(a.port).replace(', check: inter 50ms fall 2 rise 2', ''));
    expect(await textOf(vane.frontend('www'))).toBe('200 a');
  });

  test.each([
    ['is gone', ''],
    ['is one of another mode now', 'web: { mode: tcp, servers: ["127.0.0.1:PORT"] }'],
  ])('ends with its backend, which %s', async (_, web) => {
    await using a = await startWeb('a');
    await using vane = await startApp(CHECKED(a.port));
    const isChecked = async () => {
      const metrics = await (await fetch(`${vane.stats}/metrics`)).text();
      return /^haproxy_server_check_status\{proxy="web"[^}]*\} 1$/m.test(metrics);
    };
    await eventually(async () => expect(await isChecked()).toBe(true));
    await vane.reload(`
frontends: { www: { mode: tcp, bind: "127.0.0.1:0", default_backend: other } }
backends: { other: { mode: tcp, servers: ["127.0.0.1:${a.port}"] }, ${web.replace('PORT', String(a.port))} }
`);
    expect(await isChecked()).toBe(false);
  });
});

describe('a reload', () => {
  test('keeps listeners, servers and counters, and follows what changed', async () => {
    await using a = await startWeb('a');
    await using b = await startWeb('b');
    await using vane = await startApp(WEB);
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
    expect(await textOf(vane.frontend('www'))).toBe('200 a');
    const before = vane.frontend('www');
    const changes = await vane.reload(`
frontends:
  www:
    bind: "127.0.0.1:0"
    use_backend: more if { path /b }
    default_backend: web
backends:
  web: { servers: [{ domain: web.service.consul, interval: 2s, drain: 1s }], balance: leastconn }
  more: { servers: ["127.0.0.1:${b.port}"] }
`);
    expect(changes).toEqual([
      { kind: 'changed', section: 'backends', name: 'web' },
      { kind: 'added', section: 'backends', name: 'more' },
      { kind: 'changed', section: 'frontends', name: 'www' },
    ]);
    expect(vane.frontend('www')).toBe(before);
    expect(await textOf(vane.frontend('www'))).toBe('200 a');
    expect(await textOf(`${vane.frontend('www')}/b`)).toBe('200 b');
    const metrics = await (await fetch(`${vane.stats}/metrics`)).text();
    expect(metrics).toContain('haproxy_server_http_requests_total{proxy="web",server="a"} 2');
    expect(metrics).toContain('vane_reloads_total{result="taken"} 1');
    expect(vane.events().filter((event) => event.startsWith('server web/a'))).toEqual([
      'server web/a takes requests',
    ]);
  });

  test('that changes the name of its servers keeps the former ones until the new name answers', async () => {
    await using old = await startWeb('old');
    await using fresh = await startWeb('new');
    let answers = false;
    const script =
      (address: string): Script =>
      ({ name, type }) => {
        if (name === 'new.example' && !answers) return 'drop';
        return { answers: type === 'A' ? [{ type: 'A', name, ttl: 0, data: address }] : [] };
      };
    const ns = await startDnsServer(script('127.0.0.1'));
    const named = (name: string, port: number) => `
resolvers: { corp: { nameserver: { ns1: "127.0.0.1:${ns.port}" }, timeout: { retry: 100ms }, resolve_retries: 2 } }
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { servers: [{ domain: "${name}:${port}", interval: 100ms }] } }
`;
    try {
      await using vane = await startApp(named('old.example', old.port));
      await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 old'));
      await vane.reload(named('new.example', fresh.port));
      for (let i = 0; i < 20; i++) expect(await textOf(vane.frontend('www'))).toBe('200 old');
      expect(vane.events().at(-1)).toBe('backend web keeps its former servers until these answer');
      answers = true;
      await eventually(async () => expect(await textOf(vane.frontend('www'))).toBe('200 new'));
      expect(vane.events()).not.toContain('backend web has no server available');
      await eventually(() => expect(vane.events().at(-1)).toBe(`server web/127.0.0.1:${old.port} is gone`));
    } finally {
      await ns.close();
    }
  });

  test('that puts one server in the place of another tells no outage', async () => {
    await using a = await startWeb('a');
    await using b = await startWeb('b');
    const at = (port: number) => `
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { servers: ["127.0.0.1:${port}"] } }
`;
    await using vane = await startApp(at(a.port));
    expect(await textOf(vane.frontend('www'))).toBe('200 a');
    await vane.reload(at(b.port));
    expect(await textOf(vane.frontend('www'))).toBe('200 b');
    expect(vane.events().filter((event) => event.startsWith('backend '))).toEqual([]);
    const metrics = await (await fetch(`${vane.stats}/metrics`)).text();
    expect(metrics).toContain('haproxy_backend_check_up_down_total{proxy="web"} 0');
  });

  test('that cannot listen changes nothing', async () => {
    await using a = await startWeb('a');
    await using vane = await startApp(WEB);
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
    const next = `
frontends:
  www: { bind: "127.0.0.1:0", default_backend: other }
  taken: { bind: "127.0.0.1:${a.port}", default_backend: other }
backends: { other: { servers: ["127.0.0.1:9"] } }
`;
    await expect(vane.reload(next)).rejects.toThrow(`frontend taken: 127.0.0.1:${a.port}: `);
    expect(await textOf(vane.frontend('www'))).toBe('200 a');
    const metrics = await (await fetch(`${vane.stats}/metrics`)).text();
    expect(metrics).not.toContain('proxy="other"');
    expect(metrics).toContain('vane_reloads_total{result="refused"} 1');
    await vane.deregister('a');
    expect(await textOf(vane.frontend('www'))).toMatch(/^503/);
  });

  test('that removes a backend lets it finish what it is doing', async () => {
    const asked = Promise.withResolvers<void>();
    let finish = () => {};
    await using a = await startWeb((_, response) => {
      response.write('begun ');
      finish = () => response.end('done');
      asked.resolve();
    });
    await using b = await startWeb('b');
    await using vane = await startApp(WEB);
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
    const slow = textOf(vane.frontend('www'));
    await asked.promise;
    await vane.reload(`
frontends: { www: { bind: "127.0.0.1:0", default_backend: other } }
backends: { other: { servers: ["127.0.0.1:${b.port}"] } }
`);
    expect(await textOf(vane.frontend('www'))).toBe('200 b');
    finish();
    expect(await slow).toBe('200 begun done');
  });
});

describe('readiness', () => {
  test('is told by /readyz, and ends with a stop before anything else does', async () => {
    const asked = Promise.withResolvers<void>();
    let finish = () => {};
    await using a = await startWeb((_, response) => {
      finish = () => response.end('done');
      asked.resolve();
    });
    await using vane = await startApp(WEB);
    await vane.register({ Name: 'web', ID: 'a', Address: '127.0.0.1', Port: a.port });
    expect(await textOf(`${vane.stats}/readyz`)).toBe('200 ready\n');
    const slow = textOf(vane.frontend('www'));
    await asked.promise;
    const stopped = vane.app.stop();
    expect(await textOf(`${vane.stats}/readyz`)).toBe('503 stopping\n');
    await expect(fetch(vane.frontend('www'))).rejects.toThrow();
    finish();
    expect(await slow).toBe('200 done');
    await stopped;
    await expect(fetch(`${vane.stats}/healthz`)).rejects.toThrow();
  });
});
