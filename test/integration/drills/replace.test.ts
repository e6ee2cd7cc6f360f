import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { drillCount, drillTimeout, figure, percentile } from '../../helpers/drill-figures.ts';
import { monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { type Client, Load, MIXED, problems } from '../../helpers/drill-load.ts';
import { answeredBy, metricOf, type Places, startVane, type Vane } from '../../helpers/drill-vane.ts';
import { assertEcho, openWebSockets } from '../../helpers/drill-web-sockets.ts';
import { runningWorkers, workerPids } from '../../helpers/drill-workers.ts';
import { eventually } from '../../helpers/eventually.ts';
import { startProgram } from '../../helpers/program.ts';

/** How a WebSocket is closed whose worker goes (RFC 6455, section 7.4.1). */
const GOING_AWAY = 1001;
const WORKERS = 2;
const RELOADS = drillCount(8, 100);
const REPLACEMENTS = drillCount(2, 5);
const WEB_SOCKETS = drillCount(20, 100);
/** Longer than a replacement takes on a machine that is busy. */
const HARD_STOP_MS = 6_000;

const folder = mkdtempSync(join(tmpdir(), 'vane-replace-'));
afterAll(() => rmSync(folder, { recursive: true }));
const PIDFILE = join(folder, 'vane.pid');

/** A new connection for each request, beside those who keep theirs. */
const CLIENTS: readonly Client[] = [
  ...MIXED,
  ...Array.from({ length: 6 }, (): Client => ({ method: 'GET', path: '/fast', keepAlive: false })),
];

function config({ frontend, other, stats, http }: Places, second = false): string {
  return `
global: { workers: ${WORKERS}, pidfile: "${PIDFILE}", stats: { bind: "${stats}" }, hard-stop-after: ${HARD_STOP_MS}ms }
registry: { http: "${http}", dns: off }
defaults: { timeout: { http-request: 60s } }
frontends:
  www: { bind: "${frontend}", default_backend: web, option: [${second ? 'forwardfor' : ''}] }
${second ? `  other: { bind: "${other}", default_backend: web }` : ''}
backends:
  web:
    balance: ${second ? 'leastconn' : 'roundrobin'}
    servers: [{ domain: web.service.consul, interval: 1h, drain: 60s, weight: ${second ? 2 : 1} }]
`;
}

test(
  'reloads and replacements of workers under load fail no request, and only the deadline cuts WebSockets',
  drillTimeout(RELOADS + REPLACEMENTS * 15),
  async () => {
    await using instances = await startInstances('web-1', 'web-2');
    const vane = await startVane((places) => config(places));
    onTestFinished(async () => {
      await vane[Symbol.asyncDispose]();
      await eventually(() => expect(runningWorkers(vane.output())).toEqual([]), 20_000);
    });
    for (const [name, address] of instances.addresses) await vane.register(name, address);
    await answeredBy(vane.port, ['web-1', 'web-2']);
    await using load = new Load({ port: vane.port, clients: CLIENTS });
    await load.more(100);
    const steady = watchCounters(vane);

    let sockets = await openWebSockets(vane.port, WEB_SOCKETS);
    for (let i = 1; i <= RELOADS; i++) {
      vane.rewrite(config(vane.places, i % 2 === 1));
      vane.signal('SIGHUP');
      await said(vane, /configuration taken/g, i);
      await load.more(20);
    }
    await assertEcho(sockets, 'after all reloads');
    const failedByReloads = load.failed.length;

    const lasted: number[] = [];
    const times: number[] = [];
    for (let i = 1; i <= REPLACEMENTS; i++) {
      const before = runningWorkers(vane.output());
      const since = monotonic();
      await commanded(vane);
      await said(vane, /worker takes over/g, i * WORKERS);
      times.push(monotonic() - since);
      // Those that were replaced hold them still.
      await assertEcho(sockets, `during replacement ${i}`);
      const cutAt = Promise.all(sockets.map(({ closed }) => closed.then(() => monotonic())));
      const next = await openWebSockets(vane.port, WEB_SOCKETS);
      lasted.push(Math.min(...(await cutAt)) - since);
      const codes = new Set(await Promise.all(sockets.map(({ closed }) => closed)));
      expect([...codes]).toEqual([GOING_AWAY]);
      await said(vane, /workers have been replaced/g, i);
      expect(runningWorkers(vane.output()).filter((pid) => before.includes(pid))).toEqual([]);
      sockets = next;
      await assertEcho(sockets, `after replacement ${i}`);
      await load.more(100);
    }
    await load.stop();
    await Promise.all(sockets.map((socket) => socket[Symbol.asyncDispose]()));

    expect(workerPids(vane.output())).toHaveLength(WORKERS * (1 + REPLACEMENTS));
    const cut = [...vane.output().matchAll(/"cut":(\d+),"msg":"workers have been replaced"/g)];
    expect(cut.map(([, count]) => Number(count))).toEqual(Array(REPLACEMENTS).fill(WEB_SOCKETS));
    expect(Math.min(...lasted)).toBeGreaterThan(HARD_STOP_MS - 100);
    const { fell, last } = await steady.stop();
    expect(fell).toEqual([]);
    const asked = load.answered.length + WEB_SOCKETS * (1 + REPLACEMENTS);
    // Those that waited for the service to be there come on top.
    expect(metricOf(last, 'haproxy_frontend_http_requests_total', 'proxy="www"')).toBeGreaterThanOrEqual(
      asked,
    );
    expect(metricOf(last, 'vane_workers')).toBe(WORKERS);
    expect(metricOf(last, 'vane_worker_restarts_total')).toBe(0);
    expect(vane.output()).not.toMatch(/"level":"error"/);

    const fresh = load.answered.filter(({ keepAlive }) => !keepAlive);
    figure('replace', 'reloads, and replacements of all workers', `${RELOADS}, ${REPLACEMENTS}`);
    figure(
      'replace',
      'requests; those of them over a new connection',
      `${load.answered.length}, ${fresh.length}`,
    );
    figure('replace', 'requests failed by reloads', failedByReloads, '0');
    figure('replace', 'requests failed by replacements', load.failed.length - failedByReloads, '0');
    figure('replace', `WebSockets cut by reloads, of ${WEB_SOCKETS}`, 0, '0');
    figure(
      'replace',
      `WebSockets lasted, hard-stop-after ${HARD_STOP_MS}, shortest, ms`,
      Math.min(...lasted),
    );
    figure('replace', 'from the command to all new workers at work, slowest, ms', Math.max(...times));
    const ms = load.answered.map((answer) => answer.ms);
    figure(
      'replace',
      'request, 99th percentile and slowest, ms',
      [99, 100].map((p) => Math.round(percentile(ms, p))).join(', '),
    );
    expect(problems(load.answered)).toEqual({});
  },
);

/** Runs `vane reload --workers`. */
async function commanded(vane: Vane): Promise<void> {
  const args = ['src/bin/vane.mjs', 'reload', '--workers', '--pidfile', PIDFILE];
  await using command = startProgram(process.execPath, args);
  expect(await command.ended, command.output()).toBe(0);
  expect(command.output()).toContain(`sent to process ${vane.pid}.`);
}

async function said(vane: Vane, what: RegExp, times: number): Promise<void> {
  await eventually(() => expect(vane.output().match(what) ?? []).toHaveLength(times), 30_000);
}

/** Reads the metrics again and again; `fell` are the counters that were smaller than before. */
function watchCounters(vane: Vane) {
  const fell: string[] = [];
  let before = new Map<string, number>();
  let last = '';
  let stopped = false;
  const look = async () => {
    last = await vane.metrics();
    const now = new Map<string, number>();
    for (const line of last.split('\n')) {
      const [series = '', value] = line.split(/ (?=[^ ]+$)/);
      if (/^(?:haproxy|vane)_\w+_(?:total|count|sum|bucket)\b/.test(series)) now.set(series, Number(value));
    }
    expect(now.size).toBeGreaterThan(20);
    for (const [series, value] of now) {
      const earlier = before.get(series) ?? 0;
      if (value < earlier) fell.push(`${series}: ${earlier}, then ${value}`);
    }
    before = now;
  };
  const running = (async () => {
    while (!stopped) {
      await look();
      await sleep(50);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await running;
      await look();
      return { fell, last };
    },
  };
}
