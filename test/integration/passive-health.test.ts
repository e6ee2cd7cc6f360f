import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { BackendExplanation } from '../../src/control/explain.ts';
import { startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';

/** A server that answers its checks well, and everything else as it is told. */
async function startServer(status: () => number) {
  let requests = 0;
  const server = createServer((request, response) => {
    if (request.url !== '/health') requests++;
    response.writeHead(request.url === '/health' ? 200 : status()).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function explained(stats: string): Promise<BackendExplanation> {
  return (await (await fetch(`${stats}/explain?backend=web`)).json()) as BackendExplanation;
}

async function statuses(url: string, count: number): Promise<readonly number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i++) {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    all.push(answer.status);
  }
  return all;
}

test('a server that fails its requests is gone around for a while, which is told, and is back when it is well', async () => {
  let well = false;
  await using bad = await startServer(() => (well ? 200 : 500));
  await using good = await startServer(() => 200);
  await using vane = await startApp(`
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends:
  web:
    outlier: errors 3 time 3s max 50%
    servers: ["127.0.0.1:${bad.port}", "127.0.0.1:${good.port}"]
`);
  const seen = await statuses(vane.frontend('www'), 20);
  expect(seen.filter((status) => status === 500)).toHaveLength(3);
  expect(vane.events()).toContain(`server web/127.0.0.1:${bad.port} is passed over by new requests`);
  const { servers } = await explained(vane.stats);
  expect(servers.find(({ port }) => port === bad.port)?.events.at(-1)).toMatchObject({
    ...{ source: 'traffic', says: 'passed over', why: '3 errors in a row' },
  });
  const metrics = await (await fetch(`${vane.stats}/metrics`)).text();
  expect(metrics).toContain('vane_ejections_total{proxy="web"} 1');
  expect(metrics).toContain(`vane_server_ejected{proxy="web",server="127.0.0.1:${bad.port}"} 1`);
  well = true;
  await eventually(async () => {
    await statuses(vane.frontend('www'), 4);
    expect(vane.events()).toContain(`server web/127.0.0.1:${bad.port} is used again`);
  }, 20_000);
});

test('observed errors take a server down, and its checks bring it back', async () => {
  let well = false;
  await using bad = await startServer(() => (well ? 200 : 503));
  await using good = await startServer(() => 200);
  const entry = (port: number) =>
    `{ address: "127.0.0.1:${port}", check: inter 200ms rise 3, observe: layer7, error-limit: 4, on-error: mark-down }`;
  await using vane = await startApp(`
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends:
  web:
    option: [httpchk GET /health]
    outlier: off
    servers: [${entry(bad.port)}, ${entry(good.port)}]
`);
  const down = () =>
    eventually(async () => {
      await statuses(vane.frontend('www'), 2);
      expect(vane.events()).toContain(`server web/127.0.0.1:${bad.port} gets no new requests`);
    });
  await down();
  well = true;
  const { servers } = await explained(vane.stats);
  const told = servers.find(({ port }) => port === bad.port)?.events.map(({ why }) => why) ?? [];
  expect(told.join()).toContain('Health analyze, info: "4 errors in a row"');
  await eventually(() =>
    expect(vane.events().filter((event) => event.endsWith('takes requests')).length).toBeGreaterThan(0),
  );
});
