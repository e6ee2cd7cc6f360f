import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { BENCH } from '../paths.ts';
import { freePort } from '../sockets.ts';
import { populate } from './populate.ts';
import { megabytes, type Part } from './result.ts';
import { type Site, TARGET_ADDRESSES } from './site.ts';
import { type Place, startVane } from './vane-process.ts';
import { park, WATCHERS } from './watchers.ts';

/** Longer than the interval: until then each check has run at least once, and most have changed their status. */
const SETTLING_SECONDS = 15;

/** Every instance has a check that is run each ten seconds. */
export async function checks(place: Place, site: Site): Promise<Part> {
  const { processes, cores, progress, seconds } = place;
  const checkPort = await freePort();
  const targets = processes.converse({
    program: process.execPath,
    args: [`${BENCH}registry/targets.ts`, String(checkPort), ...TARGET_ADDRESSES],
    cores: cores.load,
  });
  const vane = await startVane(place, 'sqlite');
  try {
    if (targets.stdout) await once(targets.stdout, 'data');
    const empty = await vane.gauge('alive');
    progress('checks: registering');
    await populate(vane.port, site, checkPort);
    progress(`checks: ${SETTLING_SECONDS} s until all have run`);
    await sleep(SETTLING_SECONDS * 1000);
    const settling = await vane.gauge();
    progress(`checks: ${WATCHERS} blocking queries`);
    const watchers = await park(vane.port, (watcher) => watcher % site.services);
    await vane.gauge();
    progress(`checks: watching for ${seconds} s`);
    await sleep(seconds * 1000);
    const found = await vane.gauge('alive');
    const passing = await passingOf(vane.port);
    for (const watcher of watchers) watcher.close();
    const all = site.services * site.instances;
    return {
      name: 'checks',
      title: `${site.services} services of ${site.instances} instances, each with a check every 10 s`,
      how: `Half of the checks are HTTP, half TCP, against listeners on 50 loopback addresses; the registry is in SQLite. ${WATCHERS} blocking queries wait meanwhile, each on a connection of its own, spread over all services.`,
      figures: [
        {
          name: 'Checks that pass',
          value: (100 * passing) / all,
          unit: '%',
          bar: { at: 'least', limit: 100 },
        },
        {
          name: 'Memory (RSS) of the process',
          value: megabytes(found.rssBytes),
          unit: 'MB',
          bar: { at: 'most', limit: 250 },
        },
        { name: '  before anything was registered', value: megabytes(empty.rssBytes), unit: 'MB' },
        { name: '  heap, garbage included', value: megabytes(found.heapBytes), unit: 'MB' },
        {
          name: '  heap of one instance and its check, without garbage',
          value: ((found.aliveBytes ?? Number.NaN) - (empty.aliveBytes ?? Number.NaN)) / all / 1024,
          unit: 'KB',
        },
        { name: 'Event-loop delay, p99', value: found.p99Ms, unit: 'ms', bar: { at: 'most', limit: 20 } },
        { name: '  median', value: found.p50Ms, unit: 'ms' },
        { name: '  longest', value: found.maxMs, unit: 'ms' },
        {
          name: '  share of the time that others had its core',
          value: (100 * found.waitedSeconds) / found.seconds,
          unit: '%',
        },
        { name: '  p99 while all were registered and first ran', value: settling.p99Ms, unit: 'ms' },
        { name: 'Share of one core', value: (100 * found.cpuSeconds) / found.seconds, unit: '%' },
        {
          name: '  of it per check',
          value: (1e6 * found.cpuSeconds) / ((found.seconds * all) / 10),
          unit: 'µs',
        },
      ],
    };
  } finally {
    await vane.end();
    await targets.end();
  }
}

/** Checks of instances that pass. */
async function passingOf(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/health/state/passing`);
  const found = (await response.json()) as { readonly ServiceID: string }[];
  return found.filter(({ ServiceID }) => ServiceID !== '').length;
}
