import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { drillRounds, drillTimeout, figure } from '../../helpers/drill-figures.ts';
import { idOf, monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { ask, Load, problems } from '../../helpers/drill-load.ts';
import { answeredBy, metricOf, type Places, startVane } from '../../helpers/drill-vane.ts';
import { askOn, closeAll, openConnections, runningWorkers, workerPids } from '../../helpers/drill-workers.ts';
import { eventually } from '../../helpers/eventually.ts';
import { isRunning } from '../../helpers/program.ts';
import type { RawClient } from '../../helpers/raw-http.ts';
import { startWeb } from '../../helpers/web.ts';

const WORKERS = 2;

function config({ frontend, stats, http }: Places, more = ''): string {
  return `
global: { workers: ${WORKERS}, stats: { bind: "${stats}" }, hard-stop-after: 6s }
registry: { http: "${http}", dns: off }
defaults: { timeout: { http-request: 60s } }
frontends:
  www: { bind: "${frontend}", default_backend: web }
${more}
backends: { web: { servers: [{ domain: web.service.consul, interval: 1h, drain: 20s }] } }
`;
}

async function startWith(...names: readonly string[]) {
  const instances = await startInstances(...names);
  const vane = await startVane((places) => config(places));
  onTestFinished(async () => {
    await vane[Symbol.asyncDispose]();
    await instances[Symbol.asyncDispose]();
    await eventually(() => expect(runningWorkers(vane.output())).toEqual([]), 20_000);
  });
  for (const name of names) await vane.register(name, instances.addresses.get(name) ?? '');
  await answeredBy(vane.port, names);
  return { instances, vane };
}

async function connections(port: number, count = 40): Promise<readonly RawClient[]> {
  const clients = await openConnections(port, count);
  onTestFinished(() => closeAll(clients));
  return clients;
}

test('both workers serve; one that is killed takes its own connections with it and nothing else', async () => {
  const { vane } = await startWith('web-1', 'web-2');
  const clients = await connections(vane.port);
  const before = await vane.metrics();
  expect(metricOf(before, 'vane_workers')).toBe(WORKERS);
  expect(metricOf(before, 'haproxy_process_current_connections')).toBeGreaterThanOrEqual(clients.length);

  const [victim = 0] = workerPids(vane.output());
  process.kill(victim, 'SIGKILL');
  await vane.says(/worker has ended, and its connections with it/);
  const requests = 'haproxy_frontend_http_requests_total';
  const meanwhile = await vane.metrics();
  expect(metricOf(meanwhile, 'vane_workers')).toBe(WORKERS - 1);
  expect(metricOf(meanwhile, requests)).toBe(metricOf(before, requests));
  expect(metricOf(meanwhile, 'haproxy_server_http_requests_total')).toBe(
    metricOf(before, 'haproxy_server_http_requests_total'),
  );
  expect(metricOf(meanwhile, 'vane_request_duration_seconds_count')).toBe(
    metricOf(before, 'vane_request_duration_seconds_count'),
  );

  await eventually(() =>
    expect(clients.filter(({ ended, closed }) => ended || closed).length).toBeGreaterThan(0),
  );
  const left = clients.filter(({ ended, closed }) => !ended && !closed);
  expect(left.length).toBeGreaterThan(0);
  expect(await Promise.all(left.map((client) => askOn(client, '/fast')))).toEqual(left.map(() => '200'));
  for (let i = 0; i < 20; i++) expect((await ask(vane.port, '/fast')).problem).toBeUndefined();

  await eventually(async () => {
    const after = await vane.metrics();
    expect(metricOf(after, 'vane_workers')).toBe(WORKERS);
    expect(metricOf(after, 'vane_worker_restarts_total')).toBe(1);
    expect(metricOf(after, requests)).toBe(metricOf(before, requests) + left.length + 20);
  }, 20_000);
  // The new one has been told of all: it serves what the other cannot any more.
  const [, other = 0] = workerPids(vane.output());
  process.kill(other, 'SIGKILL');
  await eventually(() => expect(workerPids(vane.output())).toHaveLength(WORKERS + 2), 20_000);
  expect((await ask(vane.port, '/fast')).problem).toBeUndefined();
});

test('a worker killed under load costs the requests it has at that moment', drillTimeout(40), async () => {
  const { vane } = await startWith('web-1', 'web-2');
  await using load = new Load({ port: vane.port });
  await load.more(200);
  const clients = 11;
  // Each waits twice as long for its successor as the one before.
  const rounds = Math.min(4, drillRounds(2));
  for (let i = 0; i < rounds; i++) {
    const failed = load.failed.length;
    const [victim = 0] = runningWorkers(vane.output());
    process.kill(victim, 'SIGKILL');
    await load.more(300);
    expect(load.failed.length - failed, JSON.stringify(problems(load.failed))).toBeLessThanOrEqual(clients);
    await eventually(() => expect(runningWorkers(vane.output())).toHaveLength(WORKERS), 40_000);
  }
  const failed = load.failed.length;
  await load.more(200);
  await load.stop();
  expect(load.failed.length).toBe(failed);
  expect(problems(load.answered.filter(({ status }) => status !== undefined))).toEqual({});
  figure('workers', 'requests', load.answered.length);
  figure('workers', `requests failed, ${rounds} workers killed, ${clients} clients`, failed);
});

test('when all workers are gone, connections wait for the next one', async () => {
  const { vane } = await startWith('web-1');
  for (const pid of runningWorkers(vane.output())) process.kill(pid, 'SIGKILL');
  await eventually(() => expect(runningWorkers(vane.output())).toEqual([]));
  const answer = await ask(vane.port, '/fast');
  expect(answer.problem, vane.output()).toBeUndefined();
});

test(
  'reloads under load fail no request, and one that cannot listen changes nothing',
  drillTimeout(15),
  async () => {
    const { vane } = await startWith('web-1', 'web-2');
    await using load = new Load({ port: vane.port });
    await load.more(100);
    const { other } = vane.places;
    const port = Number(other.split(':')[1]);
    const reloads = drillRounds(6);
    const more = `  other: { bind: "${other}", default_backend: web }`;
    const taken = () => vane.output().match(/configuration taken/g)?.length ?? 0;
    for (let i = 1; i <= reloads; i++) {
      vane.rewrite(config(vane.places, i % 2 === 1 ? more : ''));
      vane.signal('SIGHUP');
      await eventually(() => expect(taken()).toBe(i));
      for (let j = 0; j < 5; j++) {
        const { problem } = await ask(port, '/fast');
        expect(problem, `reload ${i}`).toEqual(
          i % 2 === 1 ? undefined : expect.stringContaining('ECONNREFUSED'),
        );
      }
      await load.more(60);
    }
    await using squatter = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => squatter.once('listening', resolve));
    vane.rewrite(config(vane.places, more.replace('default_backend: web', 'http-request: deny')));
    vane.signal('SIGHUP');
    await vane.says(/configuration not taken/);
    expect(vane.output()).toMatch(new RegExp(`frontend other: ${other}: .*EADDRINUSE`));
    await load.more(100);
    await load.stop();
    expect(problems(load.answered)).toEqual({});
    expect(taken()).toBe(reloads);
    expect(metricOf(await vane.metrics(), 'vane_worker_restarts_total')).toBe(0);
    figure('workers', 'reloads under load', reloads);
    figure('workers', 'requests failed over reloads', load.failed.length, '0');
  },
);

test('TERM finishes what is under way in every worker and leaves none behind', drillTimeout(10), async () => {
  const { vane, instances } = await startWith('web-1', 'web-2');
  const slow = Array.from({ length: 16 }, () => ask(vane.port, '/slow?ms=2000'));
  const begun = () => instances.noted().filter(({ target }) => /ms=2000/.test(target));
  await eventually(() => expect(begun()).toHaveLength(slow.length));
  vane.signal('SIGTERM');
  await eventually(async () => expect((await ask(vane.port, '/fast')).problem).toContain('ECONNREFUSED'));
  expect(problems(await Promise.all(slow))).toEqual({});
  expect(await vane.ended, vane.output()).toBe(0);
  expect(runningWorkers(vane.output())).toEqual([]);
  expect(vane.output()).not.toContain('worker has ended, and its connections');
});

test('workers whose control process is killed finish what they have, take nothing new, and end', async () => {
  const { vane, instances } = await startWith('web-1', 'web-2');
  const slow = Array.from({ length: 8 }, () => ask(vane.port, '/slow?ms=1500'));
  const begun = () => instances.noted().filter(({ target }) => /ms=1500/.test(target));
  await eventually(() => expect(begun()).toHaveLength(slow.length));
  const pids = workerPids(vane.output());
  vane.signal('SIGKILL');
  await vane.ended;
  await eventually(async () => expect((await ask(vane.port, '/fast')).problem).toContain('ECONNREFUSED'));
  expect(problems(await Promise.all(slow))).toEqual({});
  await eventually(() => expect(pids.filter(isRunning)).toEqual([]), 20_000);
});

test('a change of servers reaches every worker at once', async () => {
  const { vane, instances } = await startWith('web-1', 'web-2');
  const clients = await connections(vane.port, 30);
  const { ackAt } = await vane.deregister('web-1');
  let rounds = 0;
  const before = instances.noted().length;
  const asked = monotonic();
  await eventually(async () => {
    rounds++;
    const known = instances.noted().length;
    expect(await Promise.all(clients.map((client) => askOn(client, '/fast')))).toEqual(
      clients.map(() => '200'),
    );
    const since = instances.noted().slice(known);
    expect(since.filter(({ instance }) => instance === 'web-1')).toEqual([]);
  });
  const last = instances
    .noted()
    .slice(before)
    .findLast(({ instance }) => instance === 'web-1');
  figure('workers', 'from the acknowledgement of a change to the first round of requests, ms', asked - ackAt);
  figure(
    'workers',
    'last request after it that went by the old servers, ms',
    last ? last.at - ackAt : 0,
    '50',
  );
  figure('workers', 'rounds of 30 requests until all went by the new servers', rounds, '1');
});

test('a drain ends when the last worker is done with the server, not the first', async () => {
  const held: (() => void)[] = [];
  await using web = await startWeb((request, response) => {
    if (request.url === '/held') held.push(() => response.end('done'));
    else response.end('quick');
  });
  const vane = await startVane((places) => config(places));
  onTestFinished(() => vane[Symbol.asyncDispose]());
  await vane.register('web', `127.0.0.1:${web.port}`);
  await eventually(async () => expect((await fetch(`http://${vane.places.frontend}/`)).status).toBe(200));
  const clients = await connections(vane.port, 24);
  for (const client of clients) client.send('GET /held HTTP/1.1\r\nHost: drill\r\n\r\n');
  await eventually(() => expect(held).toHaveLength(clients.length));
  await vane.deregister('web');
  await vane.says(/server web\/web gets no new requests/);
  for (const finish of held.slice(1)) finish();
  await eventually(() =>
    expect(clients.filter(({ received }) => received.endsWith('done'))).toHaveLength(23),
  );
  // Two rounds to every worker and back: what they had to say of it, they have said.
  for (let i = 0; i < 2; i++) await vane.metrics();
  expect(vane.output()).not.toMatch(/server web\/web is gone/);
  held[0]?.();
  await vane.says(/server web\/web is gone/);
  expect(vane.output()).toMatch(/"why":"[^"]*","open":0,"msg":"server web\/web is gone"/);
  expect(vane.output()).not.toContain('drain time over');
});

test('lines of several workers are never torn, however long', drillTimeout(10), async () => {
  await using web = await startWeb('hello');
  await using vane = await startVane((places) =>
    config(places)
      .replace('default_backend: web', 'default_backend: web, log-format: json')
      .replace(/domain: \S+, interval: 1h/, `address: "127.0.0.1:${web.port}"`),
  );
  const asked: string[] = [];
  const clients = await openConnections(vane.port, 24);
  await Promise.all(
    clients.map(async (client, i) => {
      for (let j = 0; j < 40; j++) {
        const path = `/${i}-${j}-${'x'.repeat((i * j * 7) % 6_000)}?id=${i}-${j}`;
        asked.push(`${i}-${j}`);
        client.send(`GET ${path} HTTP/1.1\r\nHost: drill\r\n\r\n`);
        await client.answer();
      }
    }),
  );
  closeAll(clients);
  vane.signal('SIGTERM');
  expect(await vane.ended, vane.output().slice(-2_000)).toBe(0);
  const lines = vane.output().trimEnd().split('\n');
  const logged = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === 'access');
  const ids = logged.map((entry) => idOf(JSON.stringify(entry).replaceAll('"', '&')));
  expect(ids.filter((id) => id !== '').sort()).toEqual(asked.sort());
  figure('workers', 'access log lines of two workers, all whole', logged.length);
});
