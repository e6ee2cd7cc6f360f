import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { Control } from '../../src/control/control.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { registryResolver } from '../../src/discovery/from-registry.ts';
import { Slots } from '../../src/health/slots.ts';
import { type ControlEnd, localChannel } from '../../src/proxy/plane/channel.ts';
import { Plane } from '../../src/proxy/plane/plane.ts';
import { Registry } from '../../src/registry/registry.ts';
import { createMemoryStore } from '../../src/registry/stores/memory.ts';
import { addressOf, configOf, type Site, serviceOf, servicesOf } from './site.ts';

/** What one registration that changes one instance has cost. */
export interface ChangeCost {
  /**
   * Until the data plane has it, the registry's own work included: the median of many. Where many follow one name, the
   * processor time that it takes.
   */
  readonly ms: number;
  /** Messages to the data plane, and servers in them, for each change and backend that follows it. */
  readonly messages: number;
  readonly servers: number;
}

const CAUSE = { by: 'benchmark', what: 'change' };
const CHANGES = 1_000;
/** Backends that changes are about, so that what is measured of a larger site is the others that stand by. */
const CHANGING = 50;
/** Where many follow one name, and changes that come at once would be told together. */
const SHARED_CHANGES = 100;
const APART_MS = 30;

/** All between the registry and the data plane, in this process and without a log. */
export async function changeCost(site: Site): Promise<ChangeCost> {
  const node = { name: 'lb-1', address: '127.0.0.1', datacenter: 'dc1', meta: {} };
  const registry = new Registry({ store: createMemoryStore(), clock: systemClock, log: silentLog, node });
  await registry.start();
  for (const [i, service] of servicesOf(site).entries()) {
    for (let k = 0; k < site.servers; k++) await register(registry, service, i * site.servers + k, 1);
  }
  const { control: end, plane: planeEnd } = localChannel();
  const counted = { messages: 0, servers: 0 };
  const channel = counting(end, counted);
  const deps = { clock: systemClock, random: Math.random, log: silentLog };
  new Plane({ ...deps, channel: planeEnd, access: () => {} });
  const builtin = registryResolver(registry.catalog, 'consul');
  const control = new Control({ ...deps, channel, builtin, slots: new Slots(200) });
  await control.start();
  await control.apply(configOf(site, 'workers: 0'));

  let made = 0;
  const change = async () => {
    // Spread over as many services whatever the site, and each time another weight than the last.
    const i = made++;
    const backend = (i * 7) % Math.min(CHANGING, site.backends);
    const instance = site.shared ? i % site.servers : backend * site.servers + (i % site.servers);
    await register(registry, serviceOf(site, backend), instance, 2 + i);
    await (site.shared ? sleep(APART_MS) : nextTurn());
  };
  const changes = site.shared ? SHARED_CHANGES : CHANGES;
  for (let i = 0; i < changes / 5; i++) await change();
  Object.assign(counted, { messages: 0, servers: 0 });
  const times: number[] = [];
  const before = process.cpuUsage();
  for (let i = 0; i < changes; i++) {
    const from = performance.now();
    await change();
    times.push(performance.now() - from);
  }
  const { user, system } = process.cpuUsage(before);
  const median = times.sort((a, b) => a - b)[changes / 2] ?? Number.NaN;
  const told = changes * (site.shared ? site.backends : 1);
  await control.stop(systemClock.now());
  await registry.stop(systemClock.now());
  const ms = site.shared ? (user + system) / 1_000 / changes : median;
  return { ms, messages: counted.messages / told, servers: counted.servers / told };
}

async function register(registry: Registry, name: string, instance: number, weight: number): Promise<void> {
  const where = { ...addressOf(instance), taggedAddresses: null, enableTagOverride: false, kind: '' };
  const weights = { passing: weight, warning: 1 };
  const service = { id: `${name}-${instance}`, service: name, tags: [], meta: null, weights, ...where };
  await registry.registerService({ service, checks: [], replaceChecks: false }, CAUSE);
}

function counting(end: ControlEnd, counted: { messages: number; servers: number }): ControlEnd {
  return {
    ...end,
    post: (message) => {
      if (message.type === 'servers' || message.type === 'change') counted.messages++;
      if (message.type === 'servers') counted.servers += message.set.servers.length;
      if (message.type === 'change') counted.servers += message.change.servers.length;
      end.post(message);
    },
  };
}
