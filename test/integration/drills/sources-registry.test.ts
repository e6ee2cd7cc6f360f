import { expect, onTestFinished, test } from 'vitest';
import { drillTimeout } from '../../helpers/drill-figures.ts';
import { type Instances, monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { ask, problems } from '../../helpers/drill-load.ts';
import type { DrillName } from '../../helpers/drill-outcomes.ts';
import {
  besideVane,
  Drill,
  IS_LONG,
  type Left,
  type Measured,
  PUSH_MS,
} from '../../helpers/drill-proxies.ts';
import { answeredBy, portOf, startVane, type Vane } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';

const DOWNLOAD_MS = IS_LONG ? 5_000 : 1_200;
/** Long enough for a proxy that asks once a second. */
const AFTER_MS = IS_LONG ? 4_000 : 400;
/** A request may be under way to an instance while the registry acknowledges that it leaves; the machine may be busy. */
const LATE_AT_MOST_MS = 1_000;

const FIRST = ['web-1', 'web-2', 'web-3'];
const CHECK = { Check: { TTL: '1h', Status: 'passing' } };

interface Site {
  readonly vane: Vane;
  readonly instances: Instances;
  readonly all: readonly Measured[];
  /** Only HAProxy, where it is measured. */
  readonly beside: readonly Measured[];
  register(name: string, extra?: Readonly<Record<string, unknown>>): Promise<number>;
  deregister(name: string): Promise<Left>;
}

/** Vane with a registry of its own, and HAProxy that asks its nameserver; the first three instances are registered. */
async function site(more: readonly string[] = [], extra = {}): Promise<Site> {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const instances = stack.use(await startInstances(...FIRST, ...more));
  const vane = stack.use(
    await startVane(
      ({ frontend, other, stats, http, dns }) => `
global: { log: { level: warn }, stats: { bind: "${stats}" } }
registry: { http: "${http}", dns: "${dns}" }
frontends:
  www: { bind: "${frontend}", default_backend: web }
  kept: { bind: "${other}", default_backend: kept }
backends:
  web: { servers: [{ domain: web.service.consul, interval: 1h, drain: 20s }] }
  kept: { servers: [{ domain: web.service.consul, interval: 1h, on-empty: keep }] }
`,
    ),
  );
  const register: Site['register'] = async (name, more = {}) =>
    (await vane.register(name, instances.addresses.get(name) ?? '', more)).ackAt;
  for (const name of FIRST) await register(name, extra);
  const name = '_web._tcp.service.consul';
  const beside = await besideVane(stack, { nameserver: vane.places.dns, name, bar: PUSH_MS });
  return {
    vane,
    instances,
    beside,
    all: [{ name: 'Vane', port: vane.port, bar: PUSH_MS }, ...beside],
    register,
    deregister: async (instance) => ({ instance, at: (await vane.deregister(instance)).ackAt }),
  };
}

function begin(name: DrillName, { instances, all }: Site, names = FIRST, path?: string): Promise<Drill> {
  return Drill.begin(name, instances, all, { names, ...(path === undefined ? {} : { path }) });
}

function expectGood(outcome: Awaited<ReturnType<Drill['end']>>): void {
  expect(outcome.problems).toEqual([]);
  expect(outcome.failed).toBe(0);
  expect(outcome.lastLateMs ?? 0).toBeLessThan(LATE_AT_MOST_MS);
}

test('1 of 3 leaves while downloads are under way', drillTimeout(20), async () => {
  const on = await site();
  await using drill = await begin('deregister', on);
  const downloads = on.all.map(({ port }) =>
    Array.from({ length: 9 }, () => ask(port, `/slow?ms=${DOWNLOAD_MS}`)),
  );
  const started = () => on.instances.noted().filter(({ target }) => target.startsWith('/slow'));
  await eventually(() => expect(started()).toHaveLength(9 * on.all.length));
  await drill.more(40);
  const left = await on.deregister('web-1');
  const done = await Promise.all(downloads.map((of) => Promise.all(of)));
  await drill.more(40);
  const notes = new Map(
    done.map((of, i) => {
      const good = of.filter(({ problem }) => problem === undefined).length;
      return [on.all[i]?.name ?? '', `${good} of ${of.length} downloads whole`] as const;
    }),
  );
  expectGood(await drill.end({ left: [left], notes }));
  expect(problems(done[0] ?? [])).toEqual({});
});

test('scaled from 3 to 10 to 1', drillTimeout(20), async () => {
  const more = Array.from({ length: 7 }, (_, i) => `web-${i + 4}`);
  const on = await site(more);
  await using drill = await begin('scale', on);
  for (const name of more) await on.register(name);
  await drill.during(AFTER_MS);
  const left: Left[] = [];
  for (const name of [...FIRST, ...more].slice(1)) left.push(await on.deregister(name));
  await drill.during(AFTER_MS);
  expectGood(await drill.end({ left }));
});

test('all are replaced within a second', drillTimeout(20), async () => {
  const next = ['new-1', 'new-2', 'new-3'];
  const on = await site(next);
  await using drill = await begin('replace', on);
  const since = monotonic();
  const left: Left[] = [];
  for (const [i, name] of next.entries()) {
    left.push(await on.deregister(FIRST[i] ?? ''));
    await on.register(name);
    await drill.during(200);
  }
  const took = monotonic() - since;
  await drill.during(AFTER_MS);
  expectGood(await drill.end({ left, note: `replaced in ${Math.round(took)} ms` }));
});

test('all are critical, then one is back', drillTimeout(20), async () => {
  const on = await site([], CHECK);
  await using drill = await begin('critical', on);
  await drill.more(40);
  let from = monotonic();
  const left: Left[] = [];
  for (const instance of FIRST) {
    const { sentAt, ackAt: at } = await on.vane.fail(`service:${instance}`);
    from = sentAt;
    left.push({ instance, at });
  }
  await drill.during(AFTER_MS);
  await put(on.vane, '/v1/agent/check/pass/service:web-1');
  const to = monotonic();
  await drill.during(AFTER_MS);
  expectGood(await drill.end({ left: left.slice(1), without: [{ from, to }] }));
});

test('the catalogue is emptied: drained or kept, as asked for', drillTimeout(20), async () => {
  const on = await site();
  await using drained = await Drill.begin('emptied-drain', on.instances, on.all.slice(0, 1), {
    names: FIRST,
  });
  const keeping = [{ name: 'Vane', port: portOf(on.vane.places.other), bar: PUSH_MS }, ...on.beside];
  await using kept = await Drill.begin('emptied-keep', on.instances, keeping, { names: FIRST });
  await kept.more(40);
  let from = monotonic();
  for (const name of FIRST) {
    from = monotonic();
    await on.deregister(name);
  }
  await Promise.all([drained.during(AFTER_MS), kept.during(AFTER_MS)]);
  const to = await on.register('web-1');
  await Promise.all([drained.during(AFTER_MS), kept.during(AFTER_MS)]);
  const outcomes = [await drained.end({ without: [{ from, to }] }), await kept.end()];
  for (const outcome of outcomes) expectGood(outcome);
});

test('maintenance of one is turned on and off', drillTimeout(20), async () => {
  const on = await site();
  await using drill = await begin('maintenance', on);
  await put(on.vane, '/v1/agent/service/maintenance/web-1?enable=true&reason=drill');
  const at = monotonic();
  await drill.during(AFTER_MS);
  const until = monotonic();
  await put(on.vane, '/v1/agent/service/maintenance/web-1?enable=false');
  await answeredBy(on.vane.port, FIRST);
  await drill.during(AFTER_MS);
  expectGood(await drill.end({ left: [{ instance: 'web-1', at, until }] }));
});

test('one joins whose first answers are slow', drillTimeout(20), async () => {
  const on = await site(['cold']);
  for (const name of FIRST) {
    const port = portOf(on.instances.addresses.get(name) ?? '');
    await eventually(async () => expect((await ask(port, '/warm')).ms).toBeLessThan(300), 10_000);
  }
  await using drill = await begin('cold', on, FIRST, '/warm');
  await drill.more(40);
  await on.register('cold');
  await drill.during(1_500 + AFTER_MS);
  expectGood(await drill.end({ note: 'its first answers take 400 ms' }));
});

async function put(vane: Vane, path: string): Promise<void> {
  const response = await fetch(`http://${vane.places.http}${path}`, { method: 'PUT' });
  expect(response.status, await response.text()).toBe(200);
}
