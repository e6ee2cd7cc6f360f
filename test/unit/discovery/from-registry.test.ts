import { describe, expect, test } from 'vitest';
import { registryResolver } from '../../../src/discovery/from-registry.ts';
import type { Excluded, Resolution } from '../../../src/discovery/resolution.ts';
import type { Change, Check, Instance } from '../../../src/registry/model.ts';
import {
  checkRow,
  committing,
  deleteService,
  putCheck,
  putNode,
  putService,
} from '../../helpers/registry-rows.ts';

const never = new AbortController().signal;

/** The registry of `dc1` with these rows on node `n1` at 10.0.0.1 besides. */
function registryOf(...changes: Change[]) {
  const { catalog, commit } = committing();
  commit(putNode('n1'), ...changes);
  const resolver = registryResolver(catalog, 'consul');
  const resolve = (name: string, port?: number) => resolver.resolve(name, port, never, []);
  return { resolver, resolve, commit };
}

function found(resolution: Resolution): string[] {
  if (!resolution.ok) throw resolution.error;
  return resolution.endpoints.map(
    ({ name, address, port, weight, priority }) => `${name} ${address}:${port} ${weight}/${priority}`,
  );
}

function excluded(resolution: Resolution): readonly Excluded[] {
  if (!resolution.ok) throw resolution.error;
  return resolution.excluded;
}

const instance = (id: string, more: Partial<Instance> = {}) => putService('n1', id, 'web', more);
const check = (id: string, status: string, more: Partial<Check> = {}) =>
  putCheck('n1', `check-${id}`, { id, service: 'web' }, { status, ...more });

describe('names', () => {
  const { resolve } = registryOf(
    instance('web-1', { tags: ['V1', 'a.b'] }),
    instance('web-2', { port: 81 }),
    putNode('rack.2', { address: '10.0.0.2' }),
    putService('rack.2', 'db', 'db', { port: 3306 }),
  );

  test.each<[string, string[]]>([
    ['web.service.consul', ['web-1 10.0.0.1:80 1/0', 'web-2 10.0.0.1:81 1/0']],
    ['web.service.dc1.consul', ['web-1 10.0.0.1:80 1/0', 'web-2 10.0.0.1:81 1/0']],
    ['WEB.Service.consul', ['web-1 10.0.0.1:80 1/0', 'web-2 10.0.0.1:81 1/0']],
    ['_web._tcp.service.consul', ['web-1 10.0.0.1:80 1/0', 'web-2 10.0.0.1:81 1/0']],
    ['_web._tcp.consul', ['web-1 10.0.0.1:80 1/0', 'web-2 10.0.0.1:81 1/0']],
    ['v1.web.service.consul', ['web-1 10.0.0.1:80 1/0']],
    ['a.b.web.service.dc1.consul', ['web-1 10.0.0.1:80 1/0']],
    ['_web._v1.service.consul', ['web-1 10.0.0.1:80 1/0']],
    ['_web._v2.service.consul', []],
    ['api.service.consul', []],
    ['n9.node.consul', []],
  ])('%s', async (name, endpoints) => {
    const resolution = await resolve(name);
    expect(found(resolution)).toEqual(endpoints);
    expect(excluded(resolution)).toEqual([]);
  });

  test('a node is its address at the port that was configured', async () => {
    expect(found(await resolve('rack.2.node.consul', 9100))).toEqual(['rack.2 10.0.0.2:9100 1/0']);
    expect(found(await resolve('n1.node.dc1.consul', 9100))).toEqual(['n1 10.0.0.1:9100 1/0']);
    expect(excluded(await resolve('n1.node.consul'))).toEqual([
      { address: '10.0.0.1', port: 0, name: 'n1', why: 'no port: none is registered, and none configured' },
    ]);
  });

  test.each([
    'web.service.dc9.consul',
    'web.consul',
    'web.query.consul',
    '0a000001.addr.consul',
    '1.0.0.10.in-addr.arpa',
    'web.example.com',
    'consul',
  ])('%s cannot be looked up here, and the failure says what can', async (name) => {
    const resolution = await resolve(name, 80);
    expect(resolution).toMatchObject({ ok: false, error: { code: 'RESOLVE_FAILED' } });
    expect(resolution.ok ? '' : resolution.error.message).toBe(
      `${name} is no name of this registry: expected [<tag>.]<service>.service[.dc1].consul, ` +
        '_<service>._<tag>.service.consul or <node>.node.consul',
    );
  });
});

describe('instances', () => {
  test.each<[string, Partial<Instance>, number | undefined, string]>([
    ['its own address', { address: '10.9.9.9' }, undefined, '10.9.9.9:80'],
    ['its port, unless one is configured', { port: 8080 }, undefined, '10.0.0.1:8080'],
    ['the configured port', { port: 8080 }, 90, '10.0.0.1:90'],
    ['the configured port for want of another', { port: 0 }, 90, '10.0.0.1:90'],
    ['an IPv6 address in its one spelling', { address: '2001:DB8:0::1' }, undefined, '2001:db8::1:80'],
    ['a host name', { address: 'Web.Example.com.' }, undefined, 'web.example.com:80'],
  ])('have %s', async (_, more, port, expected) => {
    const { resolve } = registryOf(instance('web-1', more));
    expect(found(await resolve('web.service.consul', port))).toEqual([`web-1 ${expected} 1/0`]);
  });

  test.each<[string, Partial<Instance>]>([
    ['no port: none is registered, and none configured', { port: 0 }],
    ['port is not from 1 to 65535', { port: 70_000 }],
    ['port is not from 1 to 65535', { port: -1 }],
    ['address is no IP and no host name', { address: 'unix:/run/web.sock' }],
  ])('nobody can connect to are left out: %s', async (why, more) => {
    const { resolve } = registryOf(instance('web-1', more), instance('web-2'));
    const resolution = await resolve('web.service.consul');
    expect(found(resolution)).toEqual(['web-2 10.0.0.1:80 1/0']);
    expect(excluded(resolution)).toMatchObject([{ name: 'web-1', why }]);
  });

  test('without any address are left out', async () => {
    const { resolve } = registryOf(putNode('n1', { address: '' }), instance('web-1'));
    expect(excluded(await resolve('web.service.consul'))).toMatchObject([{ why: 'no address' }]);
  });

  test('have the weight of their worst check; a warning stays in', async () => {
    const weights = { passing: 10, warning: 2 };
    const { resolve } = registryOf(
      instance('web-1', { weights }),
      instance('web-2', { weights, port: 81 }),
      check('web-2', 'warning'),
      instance('web-3', { weights: { passing: 1e9, warning: 1 }, port: 82 }),
      instance('web-4', { weights: { passing: 1, warning: -3 }, port: 83 }),
      check('web-4', 'warning'),
    );
    expect(found(await resolve('web.service.consul'))).toEqual([
      'web-1 10.0.0.1:80 10/0',
      'web-2 10.0.0.1:81 2/0',
      'web-3 10.0.0.1:82 65535/0',
      'web-4 10.0.0.1:83 0/0',
    ]);
  });

  test('all without weight have the same', async () => {
    const weights = { passing: 1, warning: 0 };
    const { resolve } = registryOf(instance('web-1', { weights }), check('web-1', 'warning'));
    expect(found(await resolve('web.service.consul'))).toEqual(['web-1 10.0.0.1:80 1/0']);
  });
});

describe('instances that are critical', () => {
  const why = async (...changes: Change[]) => {
    const { resolve } = registryOf(instance('web-1', { port: 8080 }), ...changes);
    const resolution = await resolve('web.service.consul');
    expect(found(resolution)).toEqual([]);
    expect(excluded(resolution)).toMatchObject([{ address: '10.0.0.1', port: 8080, name: 'web-1' }]);
    return excluded(resolution)[0]?.why;
  };
  const maintenance = (notes: string) => ({ type: 'maintenance', notes });

  test.each<[string, string, Change[]]>([
    [
      'the first line of its check',
      'critical: check-web-1: Get "http://x/": connection refused',
      [check('web-1', 'critical', { output: '\nGet "http://x/": connection refused\nmore\n' })],
    ],
    ['its check alone', 'critical: check-web-1', [check('web-1', 'critical')]],
    ['a status nobody knows', 'critical: check-web-1: ?', [check('web-1', 'confused', { output: '?' })]],
    [
      'what the first of several critical checks says, not of those that pass',
      'critical: check-web-1: b',
      [
        putCheck('n1', 'a', { id: 'web-1', service: 'web' }, { output: 'a' }),
        check('web-1', 'critical', { output: 'b' }),
        putCheck('n1', 'z', { id: 'web-1', service: 'web' }, { output: 'z', status: 'critical' }),
      ],
    ],
    [
      'its node',
      'critical: disk: full',
      [{ op: 'put-check', check: checkRow('n1', 'disk', undefined, { status: 'critical', output: 'full' }) }],
    ],
    [
      'the operator before all others',
      'in maintenance: new disk',
      [
        check('web-1', 'critical', { output: 'b' }),
        putCheck(
          'n1',
          '_service_maintenance:web-1',
          { id: 'web-1', service: 'web' },
          { status: 'critical', ...maintenance('new disk') },
        ),
      ],
    ],
    [
      "its node's operator",
      'in maintenance: new kernel',
      [putCheck('n1', '_node_maintenance', undefined, { status: 'critical', ...maintenance('new kernel') })],
    ],
    [
      'no more than 120 characters, none of them cut in half or harmful',
      `critical: check-web-1: red ${'😀'.repeat(114)}`,
      [check('web-1', 'critical', { output: `\u001b\u0007red ${'😀'.repeat(200)}` })],
    ],
  ])('are left out, and the reason names %s', async (_, expected, changes) => {
    expect(await why(...changes)).toBe(expected);
  });
});

describe('watching', () => {
  test('a service is told of its own changes, in the commit that makes them', () => {
    const { resolver, commit } = registryOf(instance('web-1'), putService('n1', 'api'));
    let heard = 0;
    const unwatch = resolver.watch?.('_web._v1.service.consul', () => {
      heard += 1;
    });
    commit(check('web-1', 'critical'));
    expect(heard).toBe(1);
    commit(putService('n1', 'api', 'api', { port: 81 }));
    expect(heard).toBe(1);
    commit(deleteService('n1', 'web-1'));
    expect(heard).toBe(2);
    unwatch?.();
    commit(instance('web-1'));
    expect(heard).toBe(2);
  });

  test('a node is told of when its address changes', () => {
    const { resolver, commit } = registryOf();
    let heard = 0;
    resolver.watch?.('n1.node.consul', () => {
      heard += 1;
    });
    commit(putNode('n1', { address: '10.0.0.9' }));
    expect(heard).toBe(1);
  });

  test('any other name is never told of', () => {
    const { resolver, commit } = registryOf();
    resolver.watch?.('web.example.com', () => expect.unreachable())();
    resolver.watch?.('web.service.dc9.consul', () => expect.unreachable());
    commit(instance('web-1'));
  });
});

test('what does not change is found again as the same objects, so that a change costs what it is about', async () => {
  const { resolve, commit } = registryOf(
    instance('web-1', { tags: ['v1'] }),
    instance('web-2', { port: 81 }),
  );
  const endpointsOf = async (name: string, port?: number) => {
    const resolution = await resolve(name, port);
    return resolution.ok ? resolution.endpoints : [];
  };
  const before = await resolve('web.service.consul');
  commit(putService('n1', 'api-1', 'api'));
  expect(await resolve('web.service.consul')).toBe(before);
  const [first] = await endpointsOf('web.service.consul');
  const [tagged] = await endpointsOf('v1.web.service.consul');
  expect(tagged).toBe(first);
  expect(await endpointsOf('web.service.consul', 90)).toMatchObject([{ port: 90 }, { port: 90 }]);
  commit(instance('web-2', { port: 82 }), instance('web-3', { port: 83 }));
  const after = await endpointsOf('web.service.consul');
  expect(after[0]).toBe(first);
  expect(after.map(({ port }) => port)).toEqual([80, 82, 83]);
  commit(check('web-1', 'critical'));
  expect(found(await resolve('web.service.consul'))).toEqual([
    'web-2 10.0.0.1:82 1/0',
    'web-3 10.0.0.1:83 1/0',
  ]);
});
