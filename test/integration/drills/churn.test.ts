import { fork } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { Ports } from '../../../src/app.ts';
import type { Resources } from '../../helpers/drill-app.ts';
import {
  CHURN_PER_SECOND,
  churn,
  churnConfig,
  departed,
  PASSING,
  rssOf,
  STEADY,
  seriesOf,
} from '../../helpers/drill-churn.ts';
import { drillSeconds, drillTimeout, figure } from '../../helpers/drill-figures.ts';
import { monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { problems } from '../../helpers/drill-load.ts';
import { answeredBy, metricOf, metricsAt, registryAt } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';

const SECONDS = drillSeconds(5);
const HEAP_GROWTH_MB = 4;

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
    const resources = await settled(app);
    const heapBefore = await app.ask('heap');
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
    await eventually(async () => expect(await app.ask('count')).toEqual(resources), 20_000);
    const settledAfter = monotonic() - since;
    const rssAfter = rssOf(app.pid);
    const scrapeAfter = await metricsAt(`127.0.0.1:${stats}`);
    const heapMb = (await app.ask('heap')) - heapBefore;

    figure('churn', 'registrations and deregistrations', changes);
    figure('churn', 'changes a second', changes / SECONDS, `${2 * CHURN_PER_SECOND}`);
    figure('churn', 'requests meanwhile', load.answered.length);
    figure('churn', 'requests failed', load.failed.length, '0');
    figure('churn', 'sockets, servers and timers, before and after', shown(resources), 'the same');
    figure('churn', 'until they were the same, ms', settledAfter);
    figure('churn', 'series before and after', `${seriesOf(scrapeBefore)} and ${seriesOf(scrapeAfter)}`);
    figure('churn', 'series of instances that left', departed(scrapeAfter), '0');
    figure('churn', 'heap before, MB', heapBefore);
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
    const { code, left } = await app.stop();
    figure(
      'churn',
      'what is left after a stop, beside standard output and the channel',
      shown(left),
      'nothing',
    );
    expect(left).toEqual({});
    expect(code).toBe(0);
  },
);

/** The process of drill-app.ts. */
async function startApp() {
  const anywhere = '127.0.0.1:0';
  const text = churnConfig({ frontend: anywhere, stats: anywhere, http: anywhere, dns: anywhere }, 'warn');
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
  function ask(question: 'heap'): Promise<number>;
  function ask(question: 'count' | 'stop'): Promise<Resources>;
  function ask(question: string): Promise<unknown> {
    child.send(question);
    return next();
  }
  return {
    pid: child.pid ?? -1,
    frontend: ports.frontends[0]?.port ?? 0,
    stats: ports.stats ?? 0,
    http: ports.registryHttp ?? 0,
    ask,
    async stop() {
      const { PipeWrap: _, TTYWrap: __, ...left } = await ask('stop');
      const [code] = await exited;
      return { code, left };
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Waits until the connections that were kept for later have aged out. */
async function settled(app: Awaited<ReturnType<typeof startApp>>): Promise<Resources> {
  return eventually(async () => {
    const resources = await app.ask('count');
    // The one of the registry's client, who keeps it.
    const { TCPSocketWrap: sockets = 0 } = resources;
    if (sockets > 1) throw new Error(`${sockets} sockets are still open: ${shown(resources)}`);
    return resources;
  }, 20_000);
}

function shown(resources: Resources): string {
  const text = Object.entries(resources).map(([kind, count]) => `${count} ${kind}`);
  return text.length === 0 ? 'nothing' : text.join(', ');
}
