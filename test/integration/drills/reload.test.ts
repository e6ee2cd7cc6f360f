import { expect, test } from 'vitest';
import { drillRounds, drillTimeout, figure, percentile } from '../../helpers/drill-figures.ts';
import { type Instances, monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { ask, cameTooLate, Load, problems } from '../../helpers/drill-load.ts';
import { answeredBy, metricOf, type Places, portOf, startVane } from '../../helpers/drill-vane.ts';
import { openWebSocket } from '../../helpers/drill-web-sockets.ts';
import { eventually } from '../../helpers/eventually.ts';

/** How a WebSocket is closed whose server is left by the proxy (RFC 6455, section 7.4.1). */
const GOING_AWAY = 1001;
const RELOADS = drillRounds(10);

/** Two configurations that differ in everything a reload can change while the frontend `www` goes on. */
function config({ frontend, other, stats, http }: Places, port: string, second: boolean): string {
  const more = second ? `  other: { bind: "${other}", default_backend: other }` : '  # no other frontend';
  return `
global: { log: { level: info }, stats: { bind: "${stats}" } }
registry: { http: "${http}", dns: off }
frontends:
  www:
    bind: "${frontend}"
    default_backend: web
    timeout: { client: ${second ? '30s' : '20s'}, http-keep-alive: ${second ? '15s' : '10s'} }
    option: [${second ? 'forwardfor' : ''}]
${more}
backends:
  web:
    balance: ${second ? 'leastconn' : 'roundrobin'}
    timeout: { server: ${second ? '30s' : '20s'}, connect: ${second ? '5s' : '4s'} }
    servers:
      - { domain: web.service.consul, weight: ${second ? 3 : 1}, interval: ${second ? '1s' : '2s'} }
      - { address: "127.0.0.1:${port}", weight: ${second ? 1 : 4} }
  ${second ? 'other' : 'third'}: { servers: ["127.0.0.1:${port}"] }
`;
}

test(
  'reloads under load fail no request and cut no WebSocket, and a broken file changes nothing',
  drillTimeout(RELOADS * 2),
  async () => {
    await using instances = await startInstances('web-1', 'web-2', 'fixed');
    const fixed = String(portOf(instances.addresses.get('fixed') ?? ''));
    await using vane = await startVane((places) => config(places, fixed, false));
    for (const name of ['web-1', 'web-2']) await vane.register(name, instances.addresses.get(name) ?? '');
    await answeredBy(vane.port, ['web-1', 'web-2', 'fixed']);
    const other = portOf(vane.places.other);
    await using load = new Load({ port: vane.port });
    await load.more(100);
    await using socket = await openWebSocket(vane.port);

    const taken = () => vane.output().match(/configuration taken/g)?.length ?? 0;
    const reloads: number[] = [];
    for (let i = 1; i <= RELOADS; i++) {
      const second = i % 2 === 1;
      vane.rewrite(config(vane.places, fixed, second));
      const since = monotonic();
      vane.signal('SIGHUP');
      await eventually(() => expect(taken()).toBe(i));
      reloads.push(monotonic() - since);
      const there = await ask(other, '/fast');
      expect(there.problem, `reload ${i}`).toEqual(
        second ? undefined : expect.stringContaining('ECONNREFUSED'),
      );
      expect(await socket.echo(`after ${i}`)).toMatch(new RegExp(`: after ${i}$`));
      await load.more(60);
    }

    const before = await vane.metrics();
    const served = load.answered.length;
    vane.rewrite(config(vane.places, fixed, true).replace('default_backend: web', 'default_backend: nobody'));
    vane.signal('SIGHUP');
    await vane.says(/configuration not taken/);
    expect(vane.output()).toContain('nobody');
    await load.more(200);
    const after = await vane.metrics();
    expect(taken()).toBe(RELOADS);
    const refused = 'vane_reloads_total';
    expect(metricOf(after, refused, 'result="refused"')).toBe(
      metricOf(before, refused, 'result="refused"') + 1,
    );
    expect(metricOf(after, refused, 'result="taken"')).toBe(RELOADS);
    // Counters survive a reload, and with them what they count.
    expect(metricOf(after, 'haproxy_frontend_http_requests_total', 'proxy="www"')).toBeGreaterThan(served);
    for (const part of ['backend', 'server']) {
      const name = `haproxy_${part}_loadbalanced_total`;
      expect(metricOf(after, name, 'proxy="web"'), name).toBeGreaterThan(served);
    }
    expect(await socket.echo('the end')).toMatch(/: the end$/);
    await load.stop();
    expect(instances.noted().filter(({ event }) => event === 'upgrade')).toHaveLength(1);

    figure('reload', 'reloads under load', RELOADS);
    figure('reload', 'requests', load.answered.length);
    figure('reload', 'requests failed', load.failed.length, '0');
    figure('reload', 'from the signal to the change, slowest, ms', Math.max(...reloads));
    const times = load.answered.map(({ ms }) => ms);
    figure(
      'reload',
      'request, 99th percentile and slowest, ms',
      `${Math.round(percentile(times, 99))}, ${Math.round(Math.max(...times))}`,
    );
    figure('reload', 'WebSockets cut', 0, '0');
    expect(problems(load.answered)).toEqual({});
  },
);

const HARD_STOP_MS = 6_000;

test(
  'TERM under load finishes what is under way, takes nothing new, and ends in time with 0',
  drillTimeout(10),
  async () => {
    await using instances = await startInstances('web-1', 'web-2');
    await using vane = await startStoppable(instances);
    await using load = new Load({ port: vane.port });
    await load.more(100);
    const slow = Array.from({ length: 12 }, () => ask(vane.port, '/slow?ms=2500'));
    const late = Array.from({ length: 12 }, () => ask(vane.port, '/late?ms=2500', { method: 'POST' }));
    const begun = () =>
      instances.noted().filter(({ event, target }) => event === 'start' && /ms=2500/.test(target));
    await eventually(() => expect(begun()).toHaveLength(slow.length + late.length));

    const since = monotonic();
    vane.signal('SIGTERM');
    await eventually(async () => expect((await ask(vane.port, '/fast')).problem).toContain('ECONNREFUSED'));
    const refusedAfter = monotonic() - since;
    const ready = await fetch(`http://${vane.places.stats}/readyz`);
    expect(ready.status).toBe(503);
    const finished = await Promise.all([...slow, ...late]);
    await load.stop();
    expect(await vane.ended, vane.output()).toBe(0);
    const endedAfter = monotonic() - since;

    expect(problems(finished)).toEqual({});
    // What had begun is finished, and so is what still came over a connection that was there.
    expect(problems(load.failed.filter((one) => !cameTooLate(one)))).toEqual({});
    figure('stop', 'slow requests under way that were whole', finished.length);
    figure('stop', 'from TERM until new connections were refused, ms', refusedAfter);
    figure('stop', 'from TERM to the end, ms', endedAfter, `${HARD_STOP_MS}`);
    expect(endedAfter).toBeLessThan(HARD_STOP_MS);
  },
);

test('TERM with a WebSocket open ends with 0 once hard-stop-after has passed', drillTimeout(10), async () => {
  await using instances = await startInstances('web-1', 'web-2');
  await using vane = await startStoppable(instances, 1_000);
  await using socket = await openWebSocket(vane.port);
  expect(await socket.echo('hello')).toMatch(/hello$/);
  const since = monotonic();
  vane.signal('SIGTERM');
  expect(await vane.ended, vane.output()).toBe(0);
  const endedAfter = monotonic() - since;
  figure('stop', 'from TERM with a WebSocket open to the end, hard-stop-after 1000, ms', endedAfter);
  expect(endedAfter).toBeGreaterThan(900);
  expect(await socket.closed).toBe(GOING_AWAY);
});

async function startStoppable(instances: Instances, hardStopMs = HARD_STOP_MS) {
  const servers = [...instances.addresses.values()].map((address) => `"${address}"`);
  const vane = await startVane(
    ({ frontend, stats }) => `
global: { stats: { bind: "${stats}" }, hard-stop-after: ${hardStopMs}ms }
registry: off
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: [${servers}] } }
`,
  );
  await answeredBy(vane.port, [...instances.addresses.keys()]);
  return vane;
}
