import { createServer, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { datacentersOfTest, listening, register } from '../helpers/datacenter.ts';
import { eventually } from '../helpers/eventually.ts';

// A backend whose servers are a service of another datacenter.

const { start, again, atEnd, clean } = datacentersOfTest();
afterEach(clean);

const WITHIN_MS = 15_000;
const SECTIONS = `
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends:
  web: { servers: [{ domain: web.service.dc2.consul, interval: 100ms }] }
  one: { servers: [{ domain: v2.web.service.dc2.consul, interval: 100ms }] }
  strange: { servers: [{ domain: web.service.dc9.consul, interval: 100ms }] }
`;

async function instance(name: string): Promise<number> {
  const server: Server = createServer((_request, response) => response.end(name));
  const port = await listening(server, atEnd);
  atEnd(() => server.closeAllConnections());
  return port;
}

test('its instances are served, followed, and kept while it is away', async () => {
  const dc2 = await start('dc2');
  const dc1 = await start('dc1', `datacenters: { dc2: { http: "${dc2.base}", timeout: 1s } }`, 0, SECTIONS);
  const frontend = `http://127.0.0.1:${dc1.app.ports.frontends[0]?.port}`;
  const get = async () => {
    const answer = await fetch(frontend);
    return answer.ok ? answer.text() : answer.status;
  };
  const explained = async (backend: string) => {
    const answer = await fetch(`${dc1.stats}/explain?backend=${backend}`);
    return (await answer.json()) as {
      names: { error?: string }[];
      servers: { server: string; work: string; weight: number }[];
    };
  };
  const open = async (backend: string) =>
    (await explained(backend)).servers.filter(({ work }) => work === 'open').map(({ server }) => server);
  const address = { Name: 'web', Address: '127.0.0.1' };
  await register(dc2, { ...address, ID: 'web-1', Port: await instance('one'), Tags: ['v1'] });
  await eventually(async () => expect(await get()).toBe('one'), WITHIN_MS);

  const two = {
    ...address,
    ID: 'web-2',
    Port: await instance('two'),
    Tags: ['v2'],
    Weights: { Passing: 3, Warning: 1 },
  };
  await register(dc2, two);
  await eventually(async () => expect(await open('web')).toEqual(['web-1', 'web-2']), WITHIN_MS);
  await eventually(async () => expect(await open('one')).toEqual(['web-2']), WITHIN_MS);
  await dc2.call('PUT', '/v1/agent/service/deregister/web-1');
  await eventually(async () => expect(await open('web')).toEqual(['web-2']), WITHIN_MS);
  expect(await get()).toBe('two');

  await dc2.stop();
  await eventually(async () => {
    const view = await fetch(`${dc1.stats}/metrics`).then((answer) => answer.text());
    expect(view).toMatch(/vane_datacenter_up{datacenter="dc2"} 0/);
  }, WITHIN_MS);
  expect(await get()).toBe('two');
  expect(await open('web')).toEqual(['web-2']);

  const back = await again(dc2);
  await register(back, { ...address, ID: 'web-3', Port: await instance('three') });
  await eventually(async () => expect(await open('web')).toEqual(['web-3']), WITHIN_MS);
  expect(await get()).toBe('three');

  await eventually(async () => {
    const { names } = await explained('strange');
    expect(names[0]?.error).toContain('web.service.dc9.consul is no name of this registry');
  }, WITHIN_MS);
}, 60_000);
