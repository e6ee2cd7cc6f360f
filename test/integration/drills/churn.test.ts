import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { expect, test } from 'vitest';
import type { Ports } from '../../../src/app.ts';
import type { Inside } from '../../helpers/drill-app.ts';
import { drillSeconds, drillTimeout, figure } from '../../helpers/drill-figures.ts';
import { type Instances, monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { Load, problems } from '../../helpers/drill-load.ts';
import {
  answeredBy,
  metricOf,
  metricsAt,
  type Registry,
  registryAt,
  startVane,
} from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';

/** Of each, a second. */
const CHURN_PER_SECOND = 50;
/** How many of those that come and go are there at once. */
const AT_ONCE = 20;
const SECONDS = drillSeconds(5);
const HEAP_GROWTH_MB = 4;
const RSS_GROWTH_MB = 60;

/** Registered all the time, so that there is always somebody. */
const STEADY = ['web-1', 'web-2', 'web-3'];
/** Where those that come and go listen. Their names are new every time, their addresses are used again. */
const PASSING = Array.from({ length: 60 }, (_, i) => `place-${i}=127.0.1.${i + 1}:0`);

const config = (places: { frontend: string; stats: string; http: string; dns: string }, log: string) => `
global: { log: { level: ${log} }, stats: { bind: "${places.stats}" } }
registry: { http: "${places.http}", dns: "${places.dns}" }
frontends: { www: { bind: "${places.frontend}", default_backend: web, log-format: json } }
backends: { web: { servers: [{ domain: web.service.consul, interval: 500ms, drain: 1s }] } }
`;

test(
  `${CHURN_PER_SECOND} registrations and deregistrations a second leave nothing behind`,
  drillTimeout(SECONDS * 2),
  async () => {
    await using instances = await startInstances(...STEADY, ...PASSING);
    await using app = await startApp();
    const { frontend, stats, http } = app;
    const registry = registryAt(`127.0.0.1:${http}`);
    for (const name of STEADY) await registry.register(name, instances.addresses.get(name) ?? '');
    await answeredBy(frontend, STEADY);

    // The first time fills caches and compiles; what counts is what the second time adds to it.
    await churn({ registry, instances, port: frontend, http, seconds: SECONDS * 0.6, prefix: 'warm' });
    const before = await settled(app);
    const rssBefore = rssOf(app.pid);
    const scrapeBefore = await metricsAt(`127.0.0.1:${stats}`);
    const { load, changes } = await churn({
      registry,
      instances,
      port: frontend,
      http,
      seconds: SECONDS,
      prefix: 'churn',
    });
    const since = monotonic();
    const after = await eventually(async () => {
      const inside = await app.count();
      expect(inside.resources).toEqual(before.resources);
      return inside;
    }, 20_000);
    const settledAfter = monotonic() - since;
    const rssAfter = rssOf(app.pid);
    const scrapeAfter = await metricsAt(`127.0.0.1:${stats}`);
    const heapMb = (after.heap - before.heap) / 2 ** 20;

    figure('churn', 'registrations and deregistrations', changes);
    figure('churn', 'changes a second', changes / SECONDS, `${2 * CHURN_PER_SECOND}`);
    figure('churn', 'requests meanwhile', load.answered.length);
    figure('churn', 'requests failed', load.failed.length, '0');
    figure('churn', 'sockets, servers and timers before', sizeOf(before));
    figure('churn', 'sockets, servers and timers after', sizeOf(after), `${sizeOf(before)}`);
    figure('churn', 'until they were as many, ms', settledAfter);
    figure('churn', 'series before and after', `${seriesOf(scrapeBefore)} and ${seriesOf(scrapeAfter)}`);
    figure('churn', 'series of instances that left', departed(scrapeAfter), '0');
    figure('churn', 'heap before, MB', before.heap / 2 ** 20);
    figure('churn', 'heap growth, MB', heapMb, `${HEAP_GROWTH_MB}`);
    figure(
      'churn',
      'resident memory before and after, MB',
      `${Math.round(rssBefore)} and ${Math.round(rssAfter)}`,
    );

    expect(problems(load.answered)).toEqual({});
    expect(departed(scrapeAfter)).toBe(0);
    expect(seriesOf(scrapeAfter)).toBe(seriesOf(scrapeBefore));
    expect(metricOf(scrapeAfter, 'vane_drains_total', 'result="started"')).toBeGreaterThan(changes / 4);
    expect(heapMb).toBeLessThan(HEAP_GROWTH_MB);
    registry.hangUp();

    // Stopped, it holds nothing, so that the process ends by itself.
    const { code, inside } = await app.stop();
    figure('churn', 'what is left after a stop', JSON.stringify(inside.resources));
    expect(code).toBe(0);
  },
);

test(
  'the program neither grows nor keeps descriptors while instances come and go',
  drillTimeout(SECONDS * 2),
  async () => {
    await using instances = await startInstances(...STEADY, ...PASSING);
    await using vane = await startVane((places) => config(places, 'info'));
    for (const name of STEADY) await vane.register(name, instances.addresses.get(name) ?? '');
    await answeredBy(vane.port, STEADY);
    const places = { registry: vane, instances, port: vane.port, http: portIn(vane.places.http) };
    await churn({ ...places, seconds: SECONDS / 2, prefix: 'warm' });
    vane.hangUp();
    const before = await calm(vane);
    const rssBefore = rssOf(vane.pid);
    const { load, changes } = await churn({ ...places, seconds: SECONDS, prefix: 'churn' });
    vane.hangUp();
    const after = await eventually(async () => {
      const text = await vane.metrics();
      expect(metricOf(text, 'process_open_fds')).toBeLessThanOrEqual(metricOf(before, 'process_open_fds'));
      expect(metricOf(text, 'nodejs_active_resources')).toBeLessThanOrEqual(
        metricOf(before, 'nodejs_active_resources'),
      );
      return text;
    }, 20_000);
    const growth = rssOf(vane.pid) - rssBefore;

    figure('churn of the program', 'registrations and deregistrations', changes);
    figure('churn of the program', 'requests meanwhile', load.answered.length);
    figure('churn of the program', 'requests failed', load.failed.length, '0');
    for (const name of ['process_open_fds', 'nodejs_active_resources']) {
      figure(
        'churn of the program',
        `${name} before and after`,
        `${metricOf(before, name)} and ${metricOf(after, name)}`,
      );
    }
    figure('churn of the program', 'resident memory before, MB', rssBefore);
    figure('churn of the program', 'growth of resident memory, MB', growth, `${RSS_GROWTH_MB}`);
    figure('churn of the program', 'series of instances that left', departed(after), '0');
    expect(problems(load.answered)).toEqual({});
    expect(departed(after)).toBe(0);
    expect(growth).toBeLessThan(RSS_GROWTH_MB);
    expect(metricOf(after, 'vane_access_log_dropped_total')).toBe(0);
  },
);

interface Churn {
  readonly registry: Registry;
  readonly instances: Instances;
  readonly port: number;
  readonly http: number;
  readonly seconds: number;
  /** Of the names of those that come and go. */
  readonly prefix: string;
}

/** Registers and deregisters at a steady rate under load, with a blocking query waiting for each change. */
async function churn({ registry, instances, port, http, seconds, prefix }: Churn) {
  await using load = new Load({ port });
  const watcher = new AbortController();
  const watched = watch(http, watcher.signal);
  const places = [...instances.addresses].filter(([name]) => name.startsWith('place-'));
  const there: string[] = [];
  const count = Math.round(seconds * CHURN_PER_SECOND);
  const since = monotonic();
  let changes = 0;
  for (let i = 0; i < count; i++) {
    const due = since + (i * 1000) / CHURN_PER_SECOND;
    await eventually(() => expect(monotonic()).toBeGreaterThanOrEqual(due));
    const [, address = ''] = places[i % places.length] ?? [];
    const name = `${prefix}-${i}`;
    // One with a check now and then: those have timers.
    const check = { HTTP: `http://${address}/health`, Interval: '100ms', Status: 'passing' };
    await registry.register(name, address, i % 4 === 0 ? { Check: check } : {});
    there.push(name);
    changes++;
    const leaver = there.length > AT_ONCE ? there.shift() : undefined;
    if (leaver === undefined) continue;
    await registry.deregister(leaver);
    changes++;
  }
  for (const name of there) {
    await registry.deregister(name);
    changes++;
  }
  await load.stop();
  watcher.abort();
  expect(await watched).toBeGreaterThan(0);
  return { load, changes };
}

/** Follows a service by blocking queries, as clients of Consul do; resolves to how many changes it has seen. */
async function watch(http: number, signal: AbortSignal): Promise<number> {
  let index = '0';
  let changes = 0;
  while (!signal.aborted) {
    try {
      const next = await new Promise<string>((resolve, reject) => {
        const path = `/v1/health/service/web?passing&wait=10s&index=${index}`;
        const outgoing = request({ host: '127.0.0.1', port: http, path, agent: false, signal }, (answer) => {
          answer.resume();
          answer.on('error', reject);
          answer.on('end', () => resolve(String(answer.headers['x-consul-index'])));
        });
        outgoing.on('error', reject);
        outgoing.end();
      });
      if (next !== index) changes++;
      index = next;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
  return changes;
}

/** The process of drill-app.ts. */
async function startApp() {
  const anywhere = '127.0.0.1:0';
  const text = config({ frontend: anywhere, stats: anywhere, http: anywhere, dns: anywhere }, 'warn');
  const path = new URL('../../helpers/drill-app.ts', import.meta.url).pathname;
  const child = fork(path, [text], { execArgv: ['--expose-gc'] });
  const exited = once(child, 'exit');
  const next = async () => {
    const [message] = await Promise.race([
      once(child, 'message'),
      exited.then(([code]) => Promise.reject(new Error(`the app ended with ${code}`))),
    ]);
    return message;
  };
  const { ports } = (await next()) as { ports: Ports };
  const ask = async (question: 'count' | 'stop'): Promise<Inside> => {
    child.send(question);
    return (await next()) as Inside;
  };
  return {
    pid: child.pid ?? -1,
    frontend: ports.frontends[0]?.port ?? 0,
    stats: ports.stats ?? 0,
    http: ports.registryHttp ?? 0,
    count: () => ask('count'),
    async stop() {
      const inside = await ask('stop');
      const [code] = await exited;
      return { code, inside };
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Waits until the connections that were kept for later have aged out: three counts in a row are the same. */
async function settled(app: { count(): Promise<Inside> }): Promise<Inside> {
  let last: Inside = await app.count();
  const counts: number[] = [];
  return eventually(async () => {
    last = await app.count();
    counts.push(sizeOf(last));
    const { TCPSocketWrap: sockets = 0 } = last.resources;
    if (sockets > 1) throw new Error(`${sockets} sockets are still open: ${JSON.stringify(last)}`);
    return last;
  }, 20_000);
}

/** The same from outside; its own scrape is a connection of its own. */
async function calm(vane: { metrics(): Promise<string> }): Promise<string> {
  return eventually(async () => {
    const text = await vane.metrics();
    const sockets = metricOf(text, 'nodejs_active_resources', 'type="TCPSocketWrap"');
    if (sockets > 1) throw new Error(`${sockets} sockets are still open`);
    return text;
  }, 20_000);
}

function sizeOf({ resources }: Inside): number {
  return Object.values(resources).reduce((sum, count) => sum + count, 0);
}

function seriesOf(metrics: string): number {
  return metrics.split('\n').filter((line) => /^(?:haproxy|vane)_/.test(line)).length;
}

function departed(metrics: string): number {
  return metrics.split('\n').filter((line) => /"(?:churn|warm)-\d+"/.test(line)).length;
}

/** Resident memory in MB, see proc(5). */
function rssOf(pid: number): number {
  const [, kb] = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB/m) ?? [];
  return Number(kb) / 1024;
}

function portIn(address: string): number {
  return Number(address.split(':')[1]);
}
