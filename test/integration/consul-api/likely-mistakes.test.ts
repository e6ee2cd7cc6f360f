import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';

/** What imitations of Consul get wrong: each case is one observable answer of Consul 1.9. */
let under: ConsulApiUnderTest;
beforeEach(async () => {
  under = await startConsulApi();
});
afterEach(() => under.close());

const REGISTER = '/v1/agent/service/register';

describe('requests that are refused', () => {
  test.each([
    [
      'an unknown field',
      REGISTER,
      { Name: 'x', Bogus: 1 },
      400,
      'Request decode failed: json: unknown field "Bogus"',
    ],
    [
      'an alias Consul does not have',
      REGISTER,
      { Name: 'x', Check: { TTL: '1m', success_before_passing: 1 } },
      400,
      'Request decode failed: json: unknown field "success_before_passing"',
    ],
    [
      'ID inside a service check',
      REGISTER,
      { Name: 'x', Check: { ID: 'c', TTL: '1m' } },
      400,
      'Request decode failed: json: unknown field "ID"',
    ],
    [
      'CheckID on its own',
      '/v1/agent/check/register',
      { Name: 'x', CheckID: 'c', TTL: '1m' },
      400,
      'Request decode failed: json: unknown field "CheckID"',
    ],
    ['no name', REGISTER, {}, 400, 'Missing service name'],
    ['an address nobody can reach', REGISTER, { Name: 'x', Address: '[::]' }, 400, 'Invalid service address'],
    [
      'weightless',
      REGISTER,
      { Name: 'x', Weights: { Passing: 0, Warning: 1 } },
      400,
      'Invalid Weights: Passing must be greater than 0',
    ],
    [
      'meta',
      REGISTER,
      { Name: 'x', Meta: { 'a b': 'x' } },
      400,
      "Invalid Service Meta: Couldn't load metadata pair ('a b', 'x'): Key contains invalid characters",
    ],
    [
      'reserved meta',
      REGISTER,
      { Name: 'x', Meta: { 'consul-x': '' } },
      400,
      "Invalid Service Meta: Couldn't load metadata pair ('consul-x', ''): Key prefix 'consul-' is reserved for internal use",
    ],
    [
      'a check without an interval',
      REGISTER,
      { Name: 'x', Check: { HTTP: 'http://127.0.0.1/' } },
      400,
      'Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks',
    ],
    [
      'a check of two minds',
      REGISTER,
      { Name: 'x', Check: { TTL: '1m', Interval: '1m' } },
      400,
      'Invalid check: Interval and TTL cannot both be specified',
    ],
    [
      'a check of no kind',
      REGISTER,
      { Name: 'x', Check: { Name: 'c' } },
      400,
      'Invalid check: TTL must be > 0 for TTL checks',
    ],
    [
      'a status of its own',
      REGISTER,
      { Name: 'x', Check: { TTL: '1m', Status: 'fine' } },
      400,
      "Status for checks must 'passing', 'warning', 'critical'",
    ],
    [
      'a program',
      REGISTER,
      { Name: 'x', Check: { Args: ['true'], Interval: '1m' } },
      500,
      "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
    ],
    [
      'a line break in a name',
      REGISTER,
      { Name: 'x\r\nX-Injected: 1' },
      400,
      'Invalid service name: control characters are not allowed',
    ],
    [
      'a NUL in a tag',
      REGISTER,
      { Name: 'x', Tags: ['a\u0000'] },
      400,
      'Invalid service tags: control characters are not allowed',
    ],
    [
      'a request header with a line break',
      REGISTER,
      { Name: 'x', Check: { HTTP: 'http://127.0.0.1/', Interval: '1m', Header: { A: ['b\r\nC: d'] } } },
      400,
      'Invalid check: Header A has an invalid value',
    ],
    [
      'a service mesh',
      REGISTER,
      { Name: 'x', Connect: { SidecarService: {}, Native: true } },
      400,
      'Invalid service: Proxy and Connect are not supported',
    ],
    [
      'a check of an unknown service',
      '/v1/agent/check/register',
      { Name: 'c', TTL: '1m', ServiceID: 'nope' },
      500,
      'ServiceID "nope" does not exist',
    ],
    ['no check name', '/v1/agent/check/register', { TTL: '1m' }, 400, 'Missing check name'],
    [
      'a bad check status',
      '/v1/agent/check/register',
      { Name: 'c', TTL: '1m', Status: 'bad' },
      400,
      'Bad check status',
    ],
    [
      'a TTL nobody has',
      '/v1/agent/check/pass/nope',
      undefined,
      500,
      'CheckID "nope" does not have associated TTL',
    ],
    ['a bad update', '/v1/agent/check/update/nope', { Status: 'bad' }, 400, "Invalid check status: 'bad'"],
    ['nothing to deregister', '/v1/agent/service/deregister/', undefined, 500, 'ServiceID missing'],
    ['no check to deregister', '/v1/agent/check/deregister/', undefined, 500, 'CheckID missing'],
    [
      'maintenance of what',
      '/v1/agent/service/maintenance/?enable=true',
      undefined,
      400,
      'Missing service ID',
    ],
    ['maintenance or not', '/v1/agent/maintenance', undefined, 400, 'Missing value for enable'],
    [
      'maintenance maybe',
      '/v1/agent/maintenance?enable=maybe',
      undefined,
      400,
      'Invalid value for enable: "maybe"',
    ],
    [
      'maintenance of the unknown',
      '/v1/agent/service/maintenance/nope?enable=true',
      undefined,
      404,
      'No service registered with ID "nope"',
    ],
    ['a node without a name', '/v1/catalog/register', { Address: '10.0.0.1' }, 500, 'Must provide node'],
    [
      'a node without an address',
      '/v1/catalog/register',
      { Node: 'n' },
      500,
      'Must provide address if SkipNodeUpdate is not set',
    ],
    [
      'a nameless service',
      '/v1/catalog/register',
      { Node: 'n', Address: '10.0.0.1', Service: { ID: 'x' } },
      500,
      'Must provide service name with ID',
    ],
    [
      'a check of nothing',
      '/v1/catalog/register',
      { Node: 'n', Address: '10.0.0.1', Check: { Name: 'c', ServiceID: 'x' } },
      500,
      'failed inserting check: Missing service registration on node "n"',
    ],
    [
      'another datacenter',
      '/v1/catalog/register',
      { Node: 'n', Address: '10.0.0.1', Datacenter: 'DC1' },
      500,
      'No path to datacenter',
    ],
    [
      'a namespace',
      `${REGISTER}?ns=x`,
      { Name: 'x' },
      400,
      'Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature',
    ],
  ])('%s', async (_name, path, body, status, words) => {
    const answer = await under.call('PUT', path, body);
    expect(answer).toMatchObject({ status, text: words });
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect((await under.call('GET', '/v1/agent/services')).json).toEqual({});
    expect((await under.call('GET', '/v1/agent/checks')).json).toEqual({});
    expect((await under.call('GET', '/v1/catalog/node/n')).json).toBe(null);
  });

  test.each([
    ['/v1/health/service/x?passing=x', 400, 'Invalid value for ?passing'],
    ['/v1/health/service/x?wait=1', 400, 'Invalid wait time'],
    ['/v1/health/service/x?index=1.5', 400, 'Invalid index'],
    ['/v1/health/service/x?index=18446744073709551616', 400, 'Invalid index'],
    [
      '/v1/health/service/x?stale&consistent',
      400,
      'Cannot specify ?stale with ?consistent, conflicting semantics.',
    ],
    [
      '/v1/health/service/x?cached&consistent',
      400,
      'Cannot specify ?cached with ?consistent, conflicting semantics.',
    ],
    ['/v1/health/service/x?max_stale=x', 400, 'Invalid max_stale value "x"'],
    ['/v1/health/service/x?dc=DC1', 500, 'No path to datacenter'],
    [
      '/v1/health/service/x?filter=Foo==1',
      500,
      'Failed to create boolean expression evaluator: Selector "Foo" is not valid',
    ],
    ['/v1/agent/checks?filter=Foo==1', 500, 'Selector "Foo" is not valid'],
    ['/v1/health/state/', 400, 'Missing check state'],
    ['/v1/catalog/service/', 400, 'Missing service name'],
    ['/v1/catalog/node/', 400, 'Missing node name'],
    ['/v1/agent/service/nope', 404, 'unknown service ID: nope'],
    ['/v1/agent/health/service/id/', 500, 'Bad request: Missing serviceID'],
  ])('GET %s', async (path, status, words) => {
    expect(await under.call('GET', path)).toMatchObject({ status, text: words });
  });

  test.each([
    ['POST', REGISTER, 'OPTIONS,PUT'],
    ['GET', '/v1/agent/service/deregister/x', 'OPTIONS,PUT'],
    ['GET', '/v1/agent/check/pass/x', 'OPTIONS,PUT'],
    ['PUT', '/v1/catalog/nodes', 'OPTIONS,GET'],
    ['DELETE', '/v1/health/service/x', 'OPTIONS,GET'],
    ['PATCH', '/v1/agent/services', 'OPTIONS,GET'],
  ])('%s %s is not allowed', async (method, path, allow) => {
    const answer = await under.call(method, path);
    expect(answer).toMatchObject({ status: 405, text: `method ${method} not allowed` });
    expect(answer.headers.get('allow')).toBe(allow);
  });

  test('HEAD is not allowed, OPTIONS says what is', async () => {
    expect(await under.call('HEAD', '/v1/agent/self')).toMatchObject({ status: 405, text: '' });
    const options = await under.call('OPTIONS', '/v1/agent/self');
    expect(options).toMatchObject({ status: 200, text: '' });
    expect(options.headers.get('allow')).toBe('OPTIONS,GET');
  });
});

describe('null, [] and {} are not the same', () => {
  test.each([
    ['/v1/agent/services', '{}'],
    ['/v1/agent/checks', '{}'],
    ['/v1/catalog/service/nope', '[]'],
    ['/v1/catalog/node/nope', 'null'],
    ['/v1/catalog/node-services/nope', '{"Node":null,"Services":null}'],
    ['/v1/health/service/nope', '[]'],
    ['/v1/health/checks/nope', '[]'],
    ['/v1/health/node/nope', '[]'],
    ['/v1/health/state/nope', '[]'],
    ['/v1/catalog/datacenters', '["dc1"]'],
  ])('%s', async (path, body) => {
    expect((await under.call('GET', path)).text).toBe(body);
  });

  test('meta that was never given', async () => {
    await under.call('PUT', REGISTER, { Name: 'x' });
    expect((await under.call('GET', '/v1/agent/service/x')).json).toMatchObject({ Meta: {}, Tags: [] });
    expect((await under.call('GET', '/v1/catalog/service/x')).json).toMatchObject([
      { ServiceMeta: {}, ServiceTags: [] },
    ]);
    expect((await under.call('GET', '/v1/health/service/x')).json).toMatchObject([
      { Service: { Meta: null, Tags: [] } },
    ]);
  });

  test('meta that was given empty', async () => {
    await under.call('PUT', REGISTER, { Name: 'x', Meta: {} });
    expect((await under.call('GET', '/v1/health/service/x')).json).toMatchObject([{ Service: { Meta: {} } }]);
  });
});

describe('answers that are easily got wrong', () => {
  test('deregistering what is not there is fine', async () => {
    expect(await under.call('PUT', '/v1/agent/service/deregister/nope')).toMatchObject({
      status: 200,
      text: '',
    });
    expect(await under.call('PUT', '/v1/agent/check/deregister/nope')).toMatchObject({
      status: 200,
      text: '',
    });
    expect(await under.call('PUT', '/v1/catalog/deregister', { Node: 'nope' })).toMatchObject({
      status: 200,
      text: 'true',
    });
  });

  test('a write that succeeds says nothing, not even a type', async () => {
    const answer = await under.call('PUT', REGISTER, { Name: 'x' });
    expect(answer).toMatchObject({ status: 200, text: '' });
    expect(answer.headers.get('content-type')).toBe(null);
  });

  test('agent ids have case, catalog names do not', async () => {
    await under.call('PUT', REGISTER, { ID: 'Up', Name: 'Web' });
    expect((await under.call('GET', '/v1/agent/service/up')).status).toBe(404);
    await under.call('PUT', '/v1/agent/service/deregister/up');
    expect((await under.call('GET', '/v1/catalog/service/WEB')).json).toMatchObject([{ ServiceID: 'Up' }]);
  });

  test('tags match in any case, all of them must be there, and an empty one matches nothing', async () => {
    await under.call('PUT', REGISTER, { Name: 'x', Tags: ['V1', 'a'] });
    const found = async (query: string) => (await under.call('GET', `/v1/health/service/x?${query}`)).json;
    expect(await found('tag=v1&tag=A')).toHaveLength(1);
    expect(await found('tag=v1&tag=b')).toEqual([]);
    expect(await found('tag=')).toEqual([]);
  });

  test('?passing fills gaps from the end', async () => {
    for (const [id, status] of [
      ['zz', 'passing'],
      ['a1', 'critical'],
      ['b2', 'passing'],
      ['C3', 'passing'],
    ]) {
      await under.call('PUT', '/v1/catalog/register', {
        Node: 'n',
        Address: '10.0.0.1',
        Service: { ID: id, Service: 'x' },
        Check: { CheckID: `c-${id}`, Status: status, ServiceID: id },
      });
    }
    const ids = async (path: string) => {
      const { json } = await under.call('GET', path);
      return Array.isArray(json) ? json.map((entry) => entry.Service.ID) : json;
    };
    expect(await ids('/v1/health/service/x')).toEqual(['a1', 'b2', 'C3', 'zz']);
    expect(await ids('/v1/health/service/x?passing')).toEqual(['zz', 'b2', 'C3']);
  });

  test('a check in maintenance counts before anything else in agent/health', async () => {
    await under.call('PUT', REGISTER, { Name: 'x', Check: { TTL: '10m', Status: 'warning' } });
    const health = '/v1/agent/health/service/id/x';
    expect(await under.call('GET', health)).toMatchObject({
      status: 429,
      json: { AggregatedStatus: 'warning' },
    });
    await under.call('PUT', '/v1/agent/service/maintenance/x?enable=true');
    const answer = await under.call('GET', `${health}?format=text`);
    expect(answer).toMatchObject({ status: 503, text: 'maintenance' });
    expect(answer.headers.get('content-type')).toBe('text/plain');
    expect(answer.headers.get('x-consul-reason')).toBe('maintenance');
  });

  test('indexed reads of nothing have an index, agent reads never do', async () => {
    const nothing = await under.call('GET', '/v1/health/service/nope');
    expect(Number(nothing.headers.get('x-consul-index'))).toBeGreaterThan(0);
    expect((await under.call('GET', '/v1/agent/services')).headers.get('x-consul-index')).toBe(null);
    expect((await under.call('GET', '/v1/status/leader')).headers.get('x-consul-index')).toBe(null);
  });

  test('?pretty indents by four and ends the line, whatever its value', async () => {
    expect((await under.call('GET', '/v1/catalog/datacenters?pretty=false')).text).toBe('[\n    "dc1"\n]\n');
  });

  test('names cannot reach into objects', async () => {
    await under.call('PUT', REGISTER, { Name: '__proto__', Tags: ['x'] });
    expect((await under.call('GET', '/v1/agent/services')).text).toContain('{"__proto__":{"ID":"__proto__"');
    expect((await under.call('GET', '/v1/catalog/services')).text).toContain('"__proto__":["x"]');
    expect((await under.call('GET', '/v1/agent/service/constructor')).status).toBe(404);
  });

  test('TTL results go to whoever runs the checks', async () => {
    await under.call('PUT', REGISTER, { Name: 'x', Check: { TTL: '10m' } });
    expect((await under.call('PUT', '/v1/agent/check/pass/service:x?note=all%20good')).status).toBe(200);
    expect((await under.call('GET', '/v1/agent/checks')).json).toMatchObject({
      'service:x': { Status: 'passing', Output: 'all good', Type: 'ttl' },
    });
  });
});

test('programs may be registered only where the configuration lets the API do it', async () => {
  const lenient = await startConsulApi({ scriptChecks: 'api' });
  const body = { Name: 'x', Check: { Args: ['true'], Interval: '1h' } };
  expect((await lenient.call('PUT', REGISTER, body)).status).toBe(200);
  expect((await lenient.call('GET', '/v1/agent/checks')).json).toMatchObject({
    'service:x': { Type: 'script' },
  });
  await lenient.close();
});
