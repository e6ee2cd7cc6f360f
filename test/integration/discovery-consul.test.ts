import { describe, expect, test } from 'vitest';
import type { ConsulConfig } from '../../src/config/runtime/resolvers.ts';
import { systemClock } from '../../src/core/clock.ts';
import { ConsulHttpApi, MAX_CONNECTIONS } from '../../src/discovery/consul/http-api.ts';
import { ConsulResolver } from '../../src/discovery/from-consul.ts';
import { nameserverResolver } from '../../src/discovery/from-nameservers.ts';
import type { Endpoint, Resolution, Resolver } from '../../src/discovery/resolution.ts';
import { NameserverClient } from '../../src/dns/client.ts';
import { startApp } from '../helpers/app.ts';
import { startConsulApi } from '../helpers/consul-api.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { holding } from '../helpers/hold-rules.ts';
import { entry, type Play, saying, startScriptedConsul } from '../helpers/scripted-consul.ts';
import { selfSigned } from '../helpers/self-signed.ts';

const never = new AbortController().signal;

function follow(
  urls: readonly string[],
  more: Partial<ConsulConfig> = {},
  clock = systemClock,
  fallback: Resolver | undefined = undefined,
) {
  const config: ConsulConfig = {
    ...{ kind: 'consul', id: 'c1', urls, token: undefined, datacenter: undefined },
    ...{ ca: undefined, onlyPassing: false, fallback: undefined, ...more },
  };
  const resolver = new ConsulResolver({ config, clock, random: () => 0.5, fallback: () => fallback });
  const watch = (name = 'web.service.consul') => resolver.watch(name, () => {});
  const resolve = (name = 'web.service.consul', port?: number, last: readonly Endpoint[] = []) =>
    resolver.resolve(name, port, never, last);
  const is = (expected: string, name?: string, port?: number) =>
    eventually(async () => expect(told(await resolve(name, port))).toBe(expected));
  return { resolver, resolve, watch, is, [Symbol.dispose]: () => resolver.close() };
}

function told(resolution: Resolution): string {
  if (!resolution.ok) return `failed: ${resolution.error.message}`;
  const servers = resolution.endpoints.map(
    ({ name, address, port, weight }) => `${name} ${address}:${port} ${weight}`,
  );
  return [...servers, ...resolution.excluded.map(({ name, why }) => `(${name} ${why})`)].join(', ');
}

describe('against the registry of Vane', () => {
  test('instances come, change and go without being asked for', async () => {
    const consul = await startConsulApi();
    using c1 = follow([consul.base]);
    c1.watch();
    await c1.is('');
    const register = (id: string, port: number, more: object = {}) =>
      consul.call('PUT', '/v1/agent/service/register', { ID: id, Name: 'web', Port: port, ...more });
    await register('web-1', 8001, { Weights: { Passing: 10, Warning: 2 } });
    await c1.is('web-1 127.0.0.1:8001 10');
    await register('web-2', 8002, {
      Tags: ['v2'],
      Address: '10.0.0.9',
      Check: { TTL: '1m', Status: 'passing' },
    });
    await c1.is('web-1 127.0.0.1:8001 10, web-2 10.0.0.9:8002 1');
    await c1.is('web-2 10.0.0.9:8002 1', 'V2.web.service.consul');
    await c1.is('web-2 10.0.0.9:9000 1', '_web._v2.service.consul', 9_000);
    await consul.call('PUT', '/v1/agent/check/fail/service:web-2?note=broken');
    await c1.is('web-1 127.0.0.1:8001 10, (web-2 critical: service:web-2: broken)');
    await consul.call('PUT', '/v1/agent/service/maintenance/web-1?enable=true&reason=upgrade');
    await c1.is('(web-1 in maintenance: upgrade), (web-2 critical: service:web-2: broken)');
    await consul.call('PUT', '/v1/agent/service/maintenance/web-1?enable=false');
    await consul.call('PUT', '/v1/agent/service/deregister/web-2');
    await c1.is('web-1 127.0.0.1:8001 10');
    await c1.is('lb-1 127.0.0.1:80 1', 'lb-1.node.consul', 80);
    await consul.call('POST', '/v1/query', { Name: 'near', Service: { Service: 'web' } });
    await c1.is('web-1 127.0.0.1:8001 10', 'near.query.consul');
    expect(told(await c1.resolve('web.example.com'))).toContain('is no name of Consul');
    await consul.close();
  });
});

describe('against a Consul that is not well', () => {
  test('all who watch a service share one query, and the last to leave ends it', async () => {
    await using consul = await startScriptedConsul(saying([entry('a', 80)], 5));
    using c1 = follow([consul.url], { token: 'secret', datacenter: 'dc2' });
    const leave = [c1.watch(), c1.watch('v1.web.service.consul'), c1.watch('_web._tcp.service.consul')];
    await c1.is('a 10.0.0.1:80 1', 'v1.web.service.consul');
    await eventually(() => expect(consul.asked).toHaveLength(2));
    expect(consul.asked).toEqual([
      { path: '/v1/health/service/web?stale&dc=dc2', token: 'secret' },
      { path: '/v1/health/service/web?stale&dc=dc2&index=5&wait=30000ms', token: 'secret' },
    ]);
    expect(c1.resolver.view()).toMatchObject([{ name: 'service web', up: true, index: 5, failures: 0 }]);
    for (const one of leave) one();
    expect(c1.resolver.view()).toEqual([]);
    await eventually(async () => expect(await consul.connections()).toBe(0));
  });

  test('an index that goes backwards is asked without one', async () => {
    await using consul = await startScriptedConsul(saying([entry('a', 80)], 5));
    using c1 = follow([consul.url]);
    c1.watch();
    await c1.is('a 10.0.0.1:80 1');
    await eventually(() => expect(consul.asked).toHaveLength(2));
    consul.play(saying([entry('b', 81)], 2));
    consul.wake(saying([entry('b', 81)], 2));
    await c1.is('b 10.0.0.1:81 1');
    await eventually(() => expect(consul.asked.at(-1)?.path).toContain('index=2&'));
    expect(consul.asked.at(-2)?.path).not.toContain('index');
  });

  test.each<[string, number, string, RegExp]>([
    ['an error', 500, 'No cluster leader', /answers with status 500: No cluster leader/],
    ['a refused token', 403, 'Permission denied', /refuses the token \(403: Permission denied\)/],
    ['too many requests', 429, '', /asked too often \(429\)/],
    ['a redirect', 301, '', /redirects \(301\), which is not followed/],
    ['what is no JSON', 200, '<html>', /what is not Consul's/],
    ['other JSON', 200, '[{"Node":1}]', /what is not Consul's/],
  ])('%s is told, and what was known comes back with the next answer', async (_, status, body, message) => {
    await using consul = await startScriptedConsul((_request, response) => {
      response.writeHead(status, { Location: '/elsewhere', 'X-Consul-Index': '3' }).end(body);
    });
    using c1 = follow([consul.url]);
    c1.watch();
    expect(told(await c1.resolve())).toMatch(message);
    expect(c1.resolver.view()).toMatchObject([{ up: false, index: 0 }]);
    consul.play(saying([entry('a', 80)], 5));
    await c1.is('a 10.0.0.1:80 1');
  });

  test('an answer that is cut, or does not end, is none', async () => {
    await using consul = await startScriptedConsul((_, response) => {
      response.writeHead(200, { 'X-Consul-Index': '3' }).write('[');
      setImmediate(() => response.destroy());
    });
    using c1 = follow([consul.url]);
    c1.watch();
    expect(told(await c1.resolve())).toMatch(/cannot be asked/);
    const chunk = Buffer.alloc(1024 * 1024, ' ');
    consul.play((_, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more);
      more();
    });
    await eventually(async () => expect(told(await c1.resolve())).toMatch(/more than 33554432 bytes/));
  });

  test('a watch that hangs is cut after the wait, a sixteenth and a margin, and asked again', async () => {
    const clock = new FakeClock();
    await using consul = await startScriptedConsul(saying([entry('a', 80)], 5));
    using c1 = follow([consul.url], {}, clock);
    c1.watch();
    await c1.is('a 10.0.0.1:80 1');
    await clock.advanceAsync(100);
    await eventually(() => expect(consul.asked).toHaveLength(2));
    clock.advance(41_874);
    expect(told(await c1.resolve())).toBe('a 10.0.0.1:80 1');
    clock.advance(1);
    await c1.is(`failed: ${consul.url} has not answered within 41875 ms`);
    consul.play(saying([entry('b', 81)], 9));
    await clock.advanceAsync(100);
    await c1.is('b 10.0.0.1:81 1');
  });

  test('a question that waits for a connection is not late', async () => {
    const clock = new FakeClock();
    await using consul = await startScriptedConsul(() => {});
    const api = new ConsulHttpApi({ urls: [consul.url], token: undefined, ca: undefined }, clock);
    const asking = Array.from({ length: MAX_CONNECTIONS + 1 }, (_, i) => api.get(`/v1/${i}`, 1_000, never));
    const failed = asking.map((one) => one.catch(({ message }: Error) => message));
    await eventually(() => expect(consul.asked).toHaveLength(MAX_CONNECTIONS));
    consul.play(saying([], 5));
    clock.advance(1_000);
    expect(await failed[0]).toMatch(/has not answered within 1000 ms/);
    expect(await asking.at(-1)).toMatchObject({ index: 5 });
    await Promise.all(failed);
    api.close();
  });

  test.each([
    [MAX_CONNECTIONS - 1, 30_000],
    [MAX_CONNECTIONS * 8, 250],
  ])(
    'of %i watches none waits longer than %i ms, so that all have had their turn within 2 s',
    async (watches, ms) => {
      await using consul = await startScriptedConsul(saying([], 5));
      using c1 = follow([consul.url]);
      for (let i = 0; i < watches; i++) c1.watch(`s${i}.service.consul`);
      const waits = () => consul.asked.flatMap(({ path }) => /wait=\w+/.exec(path) ?? []);
      await eventually(() => expect(waits()).toHaveLength(Math.min(watches, MAX_CONNECTIONS)));
      expect(new Set(waits())).toEqual(new Set([`wait=${ms}ms`]));
    },
  );

  test('an answer without a leader counts, and is told to be doubtful', async () => {
    await using consul = await startScriptedConsul(
      saying([entry('a', 80)], 5, { 'X-Consul-KnownLeader': 'false' }),
    );
    using c1 = follow([consul.url]);
    c1.watch();
    const answer = await c1.resolve();
    expect(told(answer)).toBe('a 10.0.0.1:80 1');
    expect(answer.ok && answer.gap?.message).toMatch(/knows of no leader/);
  });

  test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['has no leader', { 'X-Consul-KnownLeader': 'false' }, /knows of no leader: that it has nobody/],
    ['hides what it has', { 'X-Consul-Results-Filtered-By-ACLs': 'true' }, /may not tell the token all/],
    ['gives no index', { 'X-Consul-Index': '' }, /gives no index/],
  ])('that there is nobody is not believed of whoever %s', async (_, headers, message) => {
    await using consul = await startScriptedConsul(saying([entry('a', 80)], 5));
    using c1 = follow([consul.url]);
    c1.watch();
    await c1.is('a 10.0.0.1:80 1');
    await eventually(() => expect(consul.asked).toHaveLength(2));
    const play = saying([], 6, headers);
    consul.play(play);
    consul.wake(play);
    await eventually(async () => expect(told(await c1.resolve())).toMatch(message));
    consul.play(saying([], 7));
    await c1.is('');
  });

  test('warnings stay in, unless only what passes is wanted', async () => {
    await using consul = await startScriptedConsul(saying([entry('a', 80, 'warning')], 5));
    using lenient = follow([consul.url]);
    using strict = follow([consul.url], { onlyPassing: true });
    await lenient.is('a 10.0.0.1:80 1');
    await strict.is('(a warning: check-a: says so)');
  });

  test('over TLS only who is trusted is asked', async () => {
    const own = selfSigned();
    await using consul = await startScriptedConsul(saying([entry('a', 80)], 5), own);
    using trusting = follow([consul.url], { ca: own.cert });
    await trusting.is('a 10.0.0.1:80 1');
    using strict = follow([consul.url]);
    expect(told(await strict.resolve())).toMatch(/cannot be asked: self-signed certificate/);
  });

  test('the next address is asked when one fails, without a word about it', async () => {
    await using second = await startScriptedConsul(saying([entry('b', 81)], 5));
    await using first = await startScriptedConsul((_, response) => void response.end('{}'));
    using c1 = follow([first.url, second.url]);
    c1.watch();
    expect(told(await c1.resolve())).toBe('b 10.0.0.1:81 1');
    expect(c1.resolver.view()).toMatchObject([{ up: true, failures: 1 }]);
  });
});

describe('with nameservers to fall back on', () => {
  const place = { address: '10.0.0.1', port: 80, weight: 3, priority: 1 };

  test('they are asked after 10 s without an answer, for the same servers, until there is one', async () => {
    const clock = new FakeClock();
    const asked: string[] = [];
    const dns: Resolver = {
      id: 'dns',
      resolve: async (name) => {
        asked.push(name);
        return {
          ok: true,
          endpoints: [{ ...place, name: '10.0.0.1:80', host: 'x.addr.consul' }],
          excluded: [],
        };
      },
    };
    await using consul = await startScriptedConsul((_, response) => response.writeHead(500).end('no'));
    using c1 = follow([consul.url], {}, clock, dns);
    c1.watch();
    expect(told(await c1.resolve())).toMatch(/^failed/);
    await clock.advanceAsync(9_999);
    expect(told(await c1.resolve())).toMatch(/^failed/);
    clock.advance(1);
    const last = { ...place, name: 'web-1' };
    const answer = await c1.resolve('web.service.consul', undefined, [last]);
    expect(asked).toEqual(['_web._tcp.service.consul']);
    expect(answer).toMatchObject({ ok: true, endpoints: [{ ...place, name: 'web-1', priority: 0 }] });
    expect(answer.ok && answer.gap?.message).toMatch(/^looked up at dns, as .* answers with status 500: no$/);
    expect(c1.resolver.view()).toMatchObject([{ up: false, fallback: true }]);
    consul.play(saying([entry('web-1', 80)], 5));
    await eventually(async () => {
      await clock.advanceAsync(1_000);
      expect(told(await c1.resolve())).toBe('web-1 10.0.0.1:80 1');
    });
    expect(c1.resolver.view()).toMatchObject([{ up: true, fallback: false }]);
  });

  test('the registry’s own DNS names the same servers', async () => {
    await using vane = await startApp('backends: { web: { servers: [web.service.consul] } }');
    const { registryDns: port = 0 } = vane.app.ports;
    for (const id of ['web-1', 'web-2']) {
      const Weights = { Passing: 7, Warning: 1 };
      await vane.register({
        Name: 'web',
        ID: id,
        Address: '127.0.0.9',
        Port: id === 'web-1' ? 81 : 82,
        Weights,
      });
    }
    const nameservers = [{ name: 'ns1', transport: 'udp', host: '127.0.0.1', port } as const];
    const settings = { resolveRetries: 3, timeoutRetry: 1_000, acceptedPayloadSize: 1_232 };
    const client = new NameserverClient({ id: 'dns', nameservers, ...settings }, systemClock);
    const dns = nameserverResolver('dns', client, holding(), systemClock);
    const clock = new FakeClock();
    await using consul = await startScriptedConsul(relaying(vane.registry));
    using c1 = follow([consul.url], {}, clock, dns);
    c1.watch();
    const before = await c1.resolve();
    expect(told(before)).toBe('web-1 127.0.0.9:81 7, web-2 127.0.0.9:82 7');
    consul.play((_, response) => void response.writeHead(500).end());
    await clock.advanceAsync(42_000);
    await eventually(async () => {
      await clock.advanceAsync(1_000);
      expect(c1.resolver.view()).toMatchObject([{ fallback: true }]);
    });
    const after = await c1.resolve('web.service.consul', undefined, before.ok ? before.endpoints : []);
    expect(after.ok && after.endpoints.toSorted((a, b) => a.port - b.port)).toEqual(
      before.ok && before.endpoints,
    );
    client.close();
  });
});

/** Answers as the registry does, as long as nothing is waited for. */
function relaying(registry: string): Play {
  return (request, response) => {
    if (request.url?.includes('index')) return;
    void fetch(registry + request.url).then(async (answer) => {
      response.writeHead(answer.status, { 'X-Consul-Index': answer.headers.get('x-consul-index') ?? '' });
      response.end(await answer.text());
    });
  };
}
