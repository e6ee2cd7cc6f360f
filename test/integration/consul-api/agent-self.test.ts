import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';

let consul: ConsulApiUnderTest;
beforeAll(async () => {
  consul = await startConsulApi();
  await consul.call('PUT', '/v1/agent/service/register', { Name: 'web', Check: { TTL: '10s' } });
});
afterAll(() => consul.close());

test('clients learn what they may expect of the agent', async () => {
  const { json } = await consul.call('GET', '/v1/agent/self');
  expect(json).toMatchObject({
    Config: { Datacenter: 'dc1', NodeName: 'lb-1', Server: true, Version: '1.9.8' },
    DebugConfig: { ACLsEnabled: false, ConnectEnabled: false, Datacenter: 'dc1' },
    Member: { Name: 'lb-1', Addr: '127.0.0.1', Port: 8301, Status: 1 },
    Stats: {
      agent: { check_ttls: '1', checks: '1', services: '1' },
      consul: { leader: 'true', leader_addr: '127.0.0.1:8300', server: 'true' },
    },
  });
});

test('it is the only member of its cluster, and of no wide-area one', async () => {
  const { json } = await consul.call('GET', '/v1/agent/members');
  expect(json).toMatchObject([{ Name: 'lb-1', Status: 1, Tags: { role: 'consul', dc: 'dc1', vsn: '2' } }]);
  expect((await consul.call('GET', '/v1/agent/members?wan=1')).json).toBeNull();
});

test('its metrics are in the shape that Consul has', async () => {
  const { json } = await consul.call('GET', '/v1/agent/metrics');
  expect(json).toMatchObject({
    Timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC$/),
    Gauges: expect.arrayContaining([
      { Name: 'consul.state.nodes', Value: 1, Labels: { datacenter: 'dc1' } },
      { Name: 'consul.state.services', Value: 2, Labels: { datacenter: 'dc1' } },
    ]),
    Points: [],
    Counters: [],
    Samples: [],
  });
});

test('the machine is described as Consul describes it', async () => {
  const { json } = await consul.call('GET', '/v1/agent/host');
  expect(json).toMatchObject({
    Memory: { total: expect.any(Number), usedPercent: expect.any(Number) },
    Host: { hostname: expect.any(String), os: process.platform },
    Disk: { path: '/', free: expect.any(Number) },
    Errors: null,
  });
});

test('the only coordinates are those of this node', async () => {
  const { json } = await consul.call('GET', '/v1/coordinate/nodes');
  expect(json).toMatchObject([{ Node: 'lb-1', Segment: '', Coord: { Vec: [0, 0, 0, 0, 0, 0, 0, 0] } }]);
  expect((await consul.call('GET', '/v1/coordinate/node/LB-1')).json).toEqual(json);
});
