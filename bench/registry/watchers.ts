import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { populate } from './populate.ts';
import { type Part, percentile } from './result.ts';
import { registrationOf, type Site, serviceOf } from './site.ts';
import { type Place, startVane, type VaneProcess } from './vane-process.ts';

export const WATCHERS = 2_000;
/** Of each kind; the first few warm up and are not counted. */
const CHANGES = 60;
const WARM_UP = 10;
const APART_MS = 250;

/** Times in ms from the moment a change was asked for. */
interface Woken {
  /** Of each change: until its last watcher had all of its answer. */
  readonly last: readonly number[];
  /** Until the change itself was acknowledged. */
  readonly told: readonly number[];
  readonly cpuMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Blocking queries of many clients: all on one service, and spread over all of them. */
export async function watchers(place: Place, site: Site): Promise<Part> {
  const { progress } = place;
  const vane = await startVane(place, 'memory');
  try {
    progress('watchers: registering');
    await populate(vane.port, site);
    await sleep(1_000);
    const before = await vane.gauge();
    progress(`watchers: ${WATCHERS} on one service`);
    const { woken: one, rssBytes } = await watch(vane, () => 0, site);
    progress(`watchers: ${WATCHERS} spread over ${site.services} services`);
    const { woken: spread } = await watch(vane, (watcher) => watcher % site.services, site);
    return {
      name: 'watchers',
      title: `${WATCHERS} blocking queries`,
      how: `Each on a connection of its own to health/service, of one client address; ${site.services} services of ${site.instances} instances, in memory. ${CHANGES} changes of a weight one after the other, which every watcher of the service hears of and then waits again.`,
      figures: [
        {
          name: 'All on one service: change to last answer, p99',
          value: percentile(one.last, 0.99),
          unit: 'ms',
          bar: { at: 'most', limit: 100 },
        },
        { name: '  median', value: percentile(one.last, 0.5), unit: 'ms' },
        { name: '  until the change was acknowledged, p99', value: percentile(one.told, 0.99), unit: 'ms' },
        { name: '  CPU of one change and its answers', value: one.cpuMs, unit: 'ms' },
        { name: '  event-loop delay, longest', value: one.maxMs, unit: 'ms' },
        {
          name: 'Spread over all services: change to last answer, p99',
          value: percentile(spread.last, 0.99),
          unit: 'ms',
          bar: { at: 'most', limit: 100 },
        },
        { name: '  median', value: percentile(spread.last, 0.5), unit: 'ms' },
        { name: '  CPU of one change and its answers', value: spread.cpuMs, unit: 'ms' },
        {
          name: 'Memory of a waiting query',
          value: (rssBytes - before.rssBytes) / WATCHERS / 1024,
          unit: 'KB',
        },
      ],
    };
  } finally {
    await vane.end();
  }
}

async function watch(vane: VaneProcess, serviceFor: (watcher: number) => number, site: Site) {
  const change = await Connection.open(vane.port);
  const clients = await park(vane.port, serviceFor);
  await sleep(1_000);
  const { rssBytes } = await vane.gauge();
  const last: number[] = [];
  const told: number[] = [];
  let counted = await vane.gauge();
  for (let i = 0; i < WARM_UP + CHANGES; i++) {
    if (i === WARM_UP) {
      await vane.gauge();
      last.length = 0;
      told.length = 0;
    }
    const service = serviceFor((i * 37) % WATCHERS);
    const woken = clients.filter((client) => client.service === service).map((client) => client.woken());
    const at = performance.now();
    const body = registrationOf({ service, instance: i % site.instances, weight: 2 + i });
    told.push((await change.expect('PUT', '/v1/agent/service/register', body)).at - at);
    last.push(Math.max(...(await Promise.all(woken))) - at);
    await sleep(APART_MS);
  }
  counted = await vane.gauge();
  change.close();
  for (const client of clients) client.close();
  const { cpuSeconds, p99Ms, maxMs } = counted;
  const woken: Woken = { last, told, cpuMs: (1e3 * cpuSeconds) / CHANGES, p99Ms, maxMs };
  return { woken, rssBytes };
}

/** All watchers, each on a connection of its own; resolves once they wait. */
export async function park(
  port: number,
  serviceFor: (watcher: number) => number,
): Promise<readonly Watcher[]> {
  const watchers: Watcher[] = [];
  for (let i = 0; i < WATCHERS; i++) {
    const watcher = new Watcher(await Connection.open(port), serviceFor(i));
    await watcher.park();
    watchers.push(watcher);
  }
  return watchers;
}

/** Waits again as soon as it has been answered. */
class Watcher {
  readonly service: number;
  readonly #connection: Connection;
  #index = 0;
  #woken: ((at: number) => void) | undefined;
  #closed = false;

  constructor(connection: Connection, service: number) {
    this.#connection = connection;
    this.service = service;
  }

  /** Resolves once it waits, or as good as that: its query is on its way. */
  async park(): Promise<void> {
    this.#index = (await this.#ask(0)).index;
    void this.#goOn();
  }

  /** Resolves to when the next answer was there, ms of performance.now(). */
  woken(): Promise<number> {
    return new Promise((resolve) => {
      this.#woken = resolve;
    });
  }

  close(): void {
    this.#closed = true;
    this.#connection.close();
  }

  async #goOn(): Promise<void> {
    while (!this.#closed) {
      const { index, at } = await this.#ask(this.#index);
      this.#index = index;
      this.#woken?.(at);
      this.#woken = undefined;
    }
  }

  #ask(index: number) {
    const path = `/v1/health/service/${serviceOf(this.service)}?index=${index}&wait=5m`;
    return this.#connection.expect('GET', path);
  }
}
