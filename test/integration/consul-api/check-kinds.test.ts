import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';

let consul: ConsulApiUnderTest;
beforeEach(async () => {
  consul = await startConsulApi({ scriptChecks: 'api' });
});
afterEach(() => consul.close());

const PROGRAM = { Args: ['true'], Interval: '1h' };

describe('kinds of checks', () => {
  test.each<[string, object, string, object]>([
    ['udp', { UDP: '127.0.0.1:9', Interval: '1h', Timeout: '1s' }, 'udp', { address: '127.0.0.1:9' }],
    [
      'docker',
      { ...PROGRAM, DockerContainerID: 'c1' },
      'docker',
      { container: 'c1', args: ['true'], shell: '' },
    ],
    [
      'docker with a shell',
      { ...PROGRAM, docker_container_id: 'c1', Shell: '/bin/bash' },
      'docker',
      { container: 'c1', args: ['true'], shell: '/bin/bash' },
    ],
    ['a container without a program', { DockerContainerID: 'c1', TTL: '1h' }, 'ttl', {}],
    ['HTTP before UDP', { HTTP: 'http://127.0.0.1:1/', UDP: 'x:1', Interval: '1h' }, 'http', {}],
    ['TCP before UDP', { TCP: '127.0.0.1:1', UDP: 'x:1', Interval: '1h' }, 'tcp', {}],
    ['UDP before gRPC', { GRPC: '127.0.0.1:1', UDP: '127.0.0.1:1', Interval: '1h' }, 'udp', {}],
  ])('%s is taken, of a service and on its own', async (_what, check, type, kind) => {
    const service = await consul.call('PUT', '/v1/agent/service/register', { Name: 'web', Check: check });
    expect(service).toMatchObject({ status: 200, text: '' });
    const own = await consul.call('PUT', '/v1/agent/check/register', { Name: 'own', ...check });
    expect(own).toMatchObject({ status: 200, text: '' });
    const { json } = await consul.call('GET', '/v1/agent/checks');
    expect(json).toMatchObject({ 'service:web': { Type: type }, own: { Type: type } });
    const { catalog } = consul.registry;
    expect(catalog.check(catalog.self, 'own')?.definition?.kind).toMatchObject({ kind: type, ...kind });
  });

  test.each<[object, string]>([
    [
      { UDP: '127.0.0.1:9' },
      'Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks',
    ],
    [
      { UDP: '127.0.0.1:9', TTL: '1s', Interval: '1s' },
      'Invalid check: Interval and TTL cannot both be specified',
    ],
    [
      { UDP: '127.0.0.1:9', AliasNode: 'x', Interval: '1s' },
      'Invalid check: Interval cannot be set for Alias checks',
    ],
    [{ UDP: 9, Interval: '1s' }, 'of type string'],
    [
      { DockerContainerID: 'c1', Args: ['true'] },
      'Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks',
    ],
    [{ DockerContainerID: 'c1', Interval: '1s' }, 'Invalid check: TTL must be > 0 for TTL checks'],
    [{ DockerContainerID: 'c1', Script: 'true', Interval: '1s' }, 'json: unknown field "Script"'],
  ])('%j is refused', async (check, words) => {
    const answer = await consul.call('PUT', '/v1/agent/check/register', { Name: 'x', ...check });
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining(words) });
  });

  test('programs in containers are programs: they are refused where the API may have none run', async () => {
    const strict = await startConsulApi({ scriptChecks: 'files' });
    const check = { ...PROGRAM, DockerContainerID: 'c1' };
    const answer = await strict.call('PUT', '/v1/agent/service/register', { Name: 'x', Check: check });
    expect(answer).toMatchObject({ status: 500, text: expect.stringContaining('Scripts are disabled') });
    await strict.close();
  });

  test('what a monitor is told of a UDP check is shown in the catalog', async () => {
    const Definition = { UDP: '10.0.0.9:53', Interval: '10s', Timeout: '1s' };
    const body = {
      Node: 'out',
      Address: '10.0.0.9',
      Check: { Node: 'out', CheckID: 'dns', Name: 'dns', Definition },
    };
    expect(await consul.call('PUT', '/v1/catalog/register', body)).toMatchObject({ status: 200 });
    const { json } = await consul.call('GET', '/v1/health/node/out');
    expect(json).toMatchObject([{ CheckID: 'dns', Type: 'udp', Definition }]);
  });
});
