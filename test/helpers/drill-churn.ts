import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { expect } from 'vitest';
import { type Instances, monotonic } from './drill-instances.ts';
import { Load } from './drill-load.ts';
import type { Registry } from './drill-vane.ts';
import { eventually } from './eventually.ts';

/** Registrations a second, and as many deregistrations. */
export const CHURN_PER_SECOND = 50;
/** How many of those that come and go are there at once. */
const AT_ONCE = 20;

/** Registered all the time, so that there is always somebody. */
export const STEADY = ['web-1', 'web-2', 'web-3'];
/** Where those that come and go listen. Their names are new every time, their addresses are used again. */
export const PASSING = Array.from({ length: 60 }, (_, i) => `place-${i}=127.0.1.${i + 1}:0`);

/** A proxy before one name whose instances come and go. */
export function churnConfig(
  places: { frontend: string; stats: string; http: string; dns: string },
  log: string,
): string {
  return `
global: { log: { level: ${log} }, stats: { bind: "${places.stats}" } }
registry: { http: "${places.http}", dns: "${places.dns}" }
frontends: { www: { bind: "${places.frontend}", default_backend: web, log-format: json } }
backends: { web: { servers: [{ domain: web.service.consul, interval: 500ms, drain: 1s }] } }
`;
}

export interface Churn {
  readonly registry: Registry;
  readonly instances: Instances;
  readonly port: number;
  readonly http: number;
  readonly seconds: number;
  /** Of the names of those that come and go. */
  readonly prefix: string;
}

/** Registers and deregisters at a steady rate under load, with a blocking query waiting for each change. */
export async function churn({ registry, instances, port, http, seconds, prefix }: Churn) {
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

/** Series that the proxy itself makes, without those of Node. */
export function seriesOf(metrics: string): number {
  return metrics.split('\n').filter((line) => /^(?:haproxy|vane)_/.test(line)).length;
}

/** Series of instances that came and went. */
export function departed(metrics: string): number {
  return metrics.split('\n').filter((line) => /"(?:churn|warm)-\d+"/.test(line)).length;
}

/** Resident memory in MB, see proc(5). */
export function rssOf(pid: number): number {
  const [, kb] = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB/m) ?? [];
  return Number(kb) / 1024;
}
