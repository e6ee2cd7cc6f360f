import { expect, test } from 'vitest';
import { silentLog } from '../../src/core/log.ts';
import { registryResolver } from '../../src/discovery/from-registry.ts';
import { type WatchedSource, Watchers } from '../../src/discovery/watchers.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { settle } from '../helpers/fake-clock.ts';
import { startedRegistry } from '../helpers/registry.ts';
import { CAUSE, checkRequest, serviceRequest } from '../helpers/registry-rows.ts';

// Time never moves here: whatever is told is told by the commit itself.

const web: WatchedSource = {
  domain: 'web.service.consul',
  port: undefined,
  resolvers: 'builtin',
  interval: 2000,
  onEmpty: 'drain',
};

async function setUp() {
  const { registry, catalog, clock, lines } = await startedRegistry();
  const builtin = registryResolver(catalog, 'consul');
  const watchers = new Watchers({
    resolvers: new Map([['builtin', builtin]]),
    clock,
    random: () => 0.5,
    log: silentLog,
  });
  const subscribe = (source: Partial<WatchedSource> = {}) => {
    const told: string[] = [];
    const subscription = watchers.subscribe({ ...web, ...source }, ({ endpoints, excluded }) => {
      const servers = endpoints.map(({ name, port, weight }) => `${name}:${port} ${weight}`);
      told.push([...servers, ...excluded.map(({ name, why }) => `(${name} ${why})`)].join(', '));
    });
    return Object.assign(subscription, { told });
  };
  const pending = clock.pending;
  const end = async () => {
    watchers.stop();
    expect(clock.pending).toBe(pending);
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
    await registry.stop(clock.now());
  };
  return { registry, clock, watchers, subscribe, end };
}

function register(registry: Registry, id: string, port: number, tags: readonly string[] = []) {
  const service = serviceRequest(id, 'web', { port, tags, weights: { passing: 10, warning: 1 } });
  const checks = [checkRequest(`check-${id}`, { status: 'passing' })];
  return registry.registerService({ service, checks, replaceChecks: false }, CAUSE);
}

test('what is registered already is told within microtasks of the subscription', async () => {
  const { registry, subscribe, end } = await setUp();
  await register(registry, 'web-1', 8001);
  const { told } = subscribe();
  for (let i = 0; i < 10; i++) await Promise.resolve();
  expect(told).toEqual(['web-1:8001 10']);
  await end();
});

test('the life of an instance is followed without any time passing', async () => {
  const { registry, clock, subscribe, end } = await setUp();
  const { told } = subscribe();
  const tagged = subscribe({ domain: '_web._v2.service.consul' });
  const next = async (set: string) => {
    await settle();
    expect(told.at(-1)).toBe(set);
  };
  await next('');
  await register(registry, 'web-1', 8001);
  await next('web-1:8001 10');
  await register(registry, 'web-2', 8002, ['v2']);
  await next('web-1:8001 10, web-2:8002 10');
  await registry.reportCheck('check-web-2', 'warning', 'slow', CAUSE);
  await next('web-1:8001 10, web-2:8002 1');
  await registry.reportCheck('check-web-2', 'critical', 'connection refused\nand more', CAUSE);
  await next('web-1:8001 10, (web-2 critical: check-web-2: connection refused)');
  await registry.reportCheck('check-web-2', 'passing', 'fine', CAUSE);
  await next('web-1:8001 10, web-2:8002 10');
  await registry.setServiceMaintenance('web-1', true, 'new disk', CAUSE);
  await next('web-2:8002 10, (web-1 in maintenance: new disk)');
  await registry.setNodeMaintenance(true, 'moving', CAUSE);
  await next('(web-1 in maintenance: moving), (web-2 in maintenance: moving)');
  await registry.setNodeMaintenance(false, '', CAUSE);
  await registry.deregisterService('web-2', CAUSE);
  await next('(web-1 in maintenance: new disk)');
  await registry.deregisterService('web-1', CAUSE);
  await next('');
  expect(tagged.told).toEqual([
    '',
    'web-2:8002 10',
    'web-2:8002 1',
    '(web-2 critical: check-web-2: connection refused)',
    'web-2:8002 10',
    '(web-2 in maintenance: moving)',
    'web-2:8002 10',
    '',
  ]);
  expect(clock.now()).toBe(0);
  await end();
});

test('many changes in one turn end in the last of them', async () => {
  const { registry, subscribe, end } = await setUp();
  const { told } = subscribe();
  const ports = Array.from({ length: 50 }, (_, i) => 8000 + i);
  await Promise.all(ports.map((port) => register(registry, `web-${port}`, port)));
  await Promise.all(ports.slice(1).map((port) => registry.deregisterService(`web-${port}`, CAUSE)));
  await settle();
  expect(told.at(-1)).toBe('web-8000:8000 10');
  await end();
});

test('the same request again, or another service, tells nobody and looks nothing up', async () => {
  const { registry, subscribe, end } = await setUp();
  await register(registry, 'web-1', 8001);
  const subscription = subscribe();
  await settle();
  await register(registry, 'web-1', 8001);
  const api = { service: serviceRequest('api'), checks: [], replaceChecks: false };
  await registry.registerService(api, CAUSE);
  await settle();
  expect(subscription.told).toEqual(['web-1:8001 10']);
  expect(subscription.state.results).toEqual({ ok: 1, empty: 0, failed: 0 });
  await end();
});

test('with on-empty: keep the last instance stays until another comes', async () => {
  const { registry, subscribe, end } = await setUp();
  await register(registry, 'web-1', 8001);
  const subscription = subscribe({ onEmpty: 'keep' });
  await settle();
  await registry.reportCheck('check-web-1', 'critical', 'refused', CAUSE);
  await settle();
  expect(subscription.told).toEqual(['web-1:8001 10']);
  expect(subscription.state).toMatchObject({ kept: true, servers: 0 });
  await register(registry, 'web-2', 8002);
  await settle();
  expect(subscription.told.at(-1)).toBe('web-2:8002 10, (web-1 critical: check-web-1: refused)');
  expect(subscription.state.kept).toBe(false);
  await end();
});
