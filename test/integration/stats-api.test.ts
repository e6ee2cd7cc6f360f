import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { createStatsApi, type Health, type StatsApi } from '../../src/api/stats/server.ts';
import type { SystemView } from '../../src/control/view.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { Log } from '../../src/core/log.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { parsePrometheus } from '../unit/observe/prometheus-text.ts';
import { backendView, serverView, systemView } from '../unit/observe/system-view.ts';

interface Setup {
  readonly view?: () => Promise<SystemView>;
  readonly health?: () => Health;
  readonly clock?: Clock;
  readonly host?: string;
  readonly port?: number;
}

const running: StatsApi[] = [];

afterEach(async () => {
  for (const api of running.splice(0)) await api.stop(systemClock.now() + 5_000);
});

async function start({
  view = async () => systemView(),
  health,
  clock,
  host = '127.0.0.1',
  port = 0,
}: Setup = {}) {
  const logged: string[] = [];
  const note = (level: string) => (fields: object, message: string) => {
    logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const api = createStatsApi({
    bind: { host, port },
    metrics: createMetrics({ view, accessDropped: () => 0 }),
    view,
    health: health ?? (() => ({ alive: true, ready: true, reasons: [] })),
    clock: clock ?? systemClock,
    log,
  });
  running.push(api);
  await api.start();
  return { api, logged, base: `http://127.0.0.1:${api.port}` };
}

/** Over a connection of its own, with the headers as given, `Host` too. */
async function ask(
  port: number,
  {
    method = 'GET',
    path = '/',
    headers = {},
  }: { method?: string; path?: string; headers?: Record<string, string> },
) {
  const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  asked.end();
  const [answer] = await once(asked, 'response');
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

describe('/stats', () => {
  test('is a page that may load and run nothing', async () => {
    const { base } = await start();
    const answer = await fetch(`${base}/stats`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const page = await answer.text();
    expect(page).toContain('web-1');
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    const style = /<style>(.*)<\/style>/s.exec(page)?.[1] ?? '';
    expect(policy).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`);
  });

  test('is what browsers find at /, where others find what there is to ask', async () => {
    const { base } = await start();
    const browser = await fetch(base, { headers: { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
    expect(await browser.text()).toContain('<!doctype html>');
    expect(browser.headers.get('vary')).toBe('Accept');
    const other = await fetch(base);
    expect(other.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await other.text()).toContain('/stats;csv');
  });

  test.each(['/stats;csv', '/stats;csv;norefresh', '/;csv', '/;csv;norefresh'])(
    "%s is HAProxy's CSV",
    async (path) => {
      const { base } = await start();
      const answer = await fetch(`${base}${path}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      const lines = (await answer.text()).split('\n');
      expect(lines[0]).toMatch(/^# pxname,svname,qcur,qmax,/);
      expect(lines.some((line) => line.startsWith('web,web-1,'))).toBe(true);
    },
  );
});

describe('/metrics', () => {
  test('is what Prometheus reads', async () => {
    const { base } = await start();
    const answer = await fetch(`${base}/metrics`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const families = parsePrometheus(await answer.text());
    for (const name of [
      'haproxy_process_start_time_seconds',
      'haproxy_frontend_status',
      'haproxy_backend_status',
      'haproxy_server_status',
      'haproxy_server_http_responses_total',
      'vane_discovery_age_seconds',
      'process_cpu_seconds_total',
    ]) {
      expect(families.get(name)?.series.length, name).toBeGreaterThan(0);
    }
  });

  test.each([
    ['scope=server', ['server']],
    ['scope=frontend&scope=backend', ['backend', 'frontend']],
    ['scope=server&scope=&scope=global', ['process']],
    ['scope=*', ['backend', 'frontend', 'process', 'resolver', 'server', 'sticktable']],
    ['scope=*&scope=', []],
    ['scope=resolver', ['resolver']],
    ['scope=listener', []],
    ['scope=sticktable', ['sticktable']],
    ['metrics=x&other', ['backend', 'frontend', 'process', 'resolver', 'server', 'sticktable']],
  ])("takes HAProxy's ?%s", async (query, expected) => {
    const { base } = await start();
    const answer = await fetch(`${base}/metrics?${query}`);
    const families = parsePrometheus(await answer.text());
    const kinds = [...families.keys()].flatMap((name) => /^haproxy_([a-z]+)_/.exec(name)?.[1] ?? []);
    expect([...new Set(kinds)].sort()).toEqual(expected);
    expect(answer.status).toBe(200);
  });

  test('refuses a scope that does not exist', async () => {
    const { base } = await start();
    expect((await fetch(`${base}/metrics?scope=servers`)).status).toBe(400);
  });

  test('leaves out servers under maintenance when asked to', async () => {
    const servers = [
      serverView({ name: 'resting', mode: 'maint' }),
      serverView({ name: 'working', port: 1 }),
    ];
    const { base } = await start({ view: async () => systemView({ backends: [backendView({ servers })] }) });
    const told = async (query: string) => (await fetch(`${base}/metrics${query}`)).text();
    expect(await told('')).toContain('server="resting"');
    expect(await told('?no-maint')).not.toContain('server="resting"');
    expect(await told('?no-maint')).toContain('server="working"');
  });

  test('looks once for scrapes that come together', async () => {
    let looked = 0;
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const view = async () => {
      looked++;
      await gate;
      return systemView();
    };
    const { api } = await start({ view });
    // Pipelined, so that both have arrived when the first looks.
    const socket = connect(api.port, '127.0.0.1');
    const scrape = 'GET /metrics?scope=server HTTP/1.1\r\nHost: localhost\r\n';
    socket.write(`${scrape}\r\n${scrape}Connection: close\r\n\r\n`);
    await eventually(() => expect(looked).toBe(1));
    release();
    const answers = (await text(socket)).split('HTTP/1.1 200 OK').slice(1);
    const [first, second] = answers.map((answer) => answer.slice(answer.indexOf('\r\n\r\n')));
    expect(first).toContain('haproxy_server_status');
    expect(second).toBe(first);
    expect(looked).toBe(1);
  });

  test('answers 500 when nothing can be told, says why in the log, and works again later', async () => {
    let fail = true;
    const view = async () => {
      if (fail) throw new Error('the plane does not answer');
      return systemView();
    };
    const { base, logged } = await start({ view });
    const answer = await fetch(`${base}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([500, 'Internal Server Error\n']);
    expect(logged.at(-1)).toBe(
      'error stats api request failed {"url":"/metrics","error":"the plane does not answer"}',
    );
    fail = false;
    expect((await fetch(`${base}/metrics`)).status).toBe(200);
  });

  test('does not wait for ever for what never comes', async () => {
    const clock = new FakeClock();
    const { base, logged } = await start({ clock, view: () => new Promise(() => {}) });
    const scrape = fetch(`${base}/metrics`);
    await eventually(() => expect(clock.pending).toBe(1));
    clock.advance(10_000);
    expect((await scrape).status).toBe(500);
    expect(logged.at(-1)).toContain('no statistics within 10 s');
  });
});

describe('probes', () => {
  test('/healthz is 200 while alive and 503 otherwise', async () => {
    let alive = true;
    const { base } = await start({ health: () => ({ alive, ready: false, reasons: [] }) });
    const probe = async () => {
      const answer = await fetch(`${base}/healthz`);
      return [answer.status, await answer.text()];
    };
    expect(await probe()).toEqual([200, 'ok\n']);
    alive = false;
    expect(await probe()).toEqual([503, 'not alive\n']);
  });

  test('/readyz is 200 when ready, else 503 with one reason a line', async () => {
    let health: Health = { alive: true, ready: true, reasons: [] };
    const { base } = await start({ health: () => health });
    const probe = async () => {
      const answer = await fetch(`${base}/readyz`);
      return [answer.status, await answer.text()];
    };
    expect(await probe()).toEqual([200, 'ready\n']);
    health = {
      alive: true,
      ready: false,
      reasons: ['backend web: web.service.consul\nnot found', 'stopping'],
    };
    expect(await probe()).toEqual([503, 'backend web: web.service.consul not found\nstopping\n']);
    health = { alive: true, ready: false, reasons: [] };
    expect(await probe()).toEqual([503, 'not ready\n']);
  });

  test('a probe that fails is a 500 and a line in the log', async () => {
    const { base, logged } = await start({
      health: () => {
        throw new Error('boom');
      },
    });
    expect((await fetch(`${base}/readyz`)).status).toBe(500);
    expect(logged.at(-1)).toBe('error stats api request failed {"url":"/readyz","error":"boom"}');
  });
});

describe('other requests', () => {
  test('/ says what is here', async () => {
    const { base } = await start();
    const answer = await fetch(base);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const index = await answer.text();
    for (const path of ['/metrics', '/healthz', '/readyz']) expect(index).toContain(path);
  });

  test('what is not here is 404', async () => {
    const { base } = await start();
    for (const path of ['/metrics/', '/stats/', '/stats;json', '/metrics/../x', '/%2e%2e/etc']) {
      expect((await fetch(base + path)).status, path).toBe(404);
    }
  });

  test('a target that cannot be decoded is 400', async () => {
    const { api } = await start();
    const answer = await ask(api.port, { path: '/%zz' });
    expect([answer.status, answer.body]).toEqual([400, 'Bad Request\n']);
  });

  test('HEAD has the headers of GET and no body', async () => {
    const { api } = await start();
    const { status, headers, body } = await ask(api.port, { method: 'HEAD', path: '/healthz' });
    expect([status, headers['content-length'], body]).toEqual([200, '3', '']);
  });

  test('nothing can be written', async () => {
    const { base } = await start();
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      for (const path of ['/metrics', '/nowhere']) {
        const body = method === 'OPTIONS' ? null : 'x'.repeat(100_000);
        const answer = await fetch(base + path, { method, body });
        expect(answer.status, `${method} ${path}`).toBe(405);
        expect(answer.headers.get('allow')).toBe('GET, HEAD');
        expect(answer.headers.get('connection')).toBe('close');
        await answer.text();
      }
    }
  });

  test.each([
    ['localhost', 200],
    ['LOCALHOST:8404', 200],
    ['127.0.0.1:1', 200],
    ['127.9.9.9', 200],
    ['[::1]:8404', 200],
    ['evil.example', 403],
    ['evil.example:8404', 403],
    ['127.0.0.1.evil.example', 403],
    ['web.service.consul', 403],
  ])('on a loopback address the Host %s gets %i', async (host, status) => {
    const { api } = await start();
    expect((await ask(api.port, { path: '/healthz', headers: { Host: host } })).status).toBe(status);
  });

  test('on every address any Host is served', async () => {
    const { api } = await start({ host: '0.0.0.0' });
    expect((await ask(api.port, { path: '/healthz', headers: { Host: 'lb-1.example' } })).status).toBe(200);
  });
});

describe('its life', () => {
  test('it says where it listens', async () => {
    const { api, logged } = await start();
    expect(logged).toEqual([`info stats api listens {"host":"127.0.0.1","port":${api.port}}`]);
  });

  test('a port that is taken is told as BIND_FAILED', async () => {
    const { api } = await start();
    await expect(start({ port: api.port })).rejects.toMatchObject({ code: 'BIND_FAILED' });
  });

  test('stopping ends silent connections, answers what runs, and then refuses', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let looked = false;
    const view = async () => {
      looked = true;
      await gate;
      return systemView();
    };
    const { api, base } = await start({ view });
    const silent = connect(api.port, '127.0.0.1');
    await once(silent, 'connect');
    const scrape = fetch(`${base}/metrics`);
    await eventually(() => expect(looked).toBe(true));
    const ended = once(silent, 'close');
    const stopping = api.stop(systemClock.now() + 20_000);
    await ended;
    release();
    const answer = await scrape;
    expect(answer.status).toBe(200);
    expect(answer.headers.get('connection')).toBe('close');
    expect(await answer.text()).toContain('haproxy_server_status');
    await stopping;
    await expect(fetch(`${base}/healthz`)).rejects.toThrow();
  });

  test('what is still running at the deadline is cut', async () => {
    const clock = new FakeClock();
    let looked = false;
    const view = () => {
      looked = true;
      return new Promise<SystemView>(() => {});
    };
    const { api, base } = await start({ clock, view });
    const scrape = fetch(`${base}/metrics`);
    scrape.catch(() => undefined);
    await eventually(() => expect(looked).toBe(true));
    const stopping = api.stop(clock.now() + 100);
    clock.advance(100);
    await stopping;
    await expect(scrape).rejects.toThrow();
  });

  test('a stop without a start, and a second stop, do nothing', async () => {
    const { api } = await start();
    await api.stop(systemClock.now());
    await api.stop(systemClock.now());
    const idle = createStatsApi({
      bind: { host: '127.0.0.1', port: 0 },
      metrics: createMetrics({ view: async () => systemView(), accessDropped: () => 0 }),
      view: async () => systemView(),
      health: () => ({ alive: true, ready: true, reasons: [] }),
      clock: systemClock,
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
    await idle.stop(systemClock.now());
    expect(idle.port).toBe(0);
  });
});
