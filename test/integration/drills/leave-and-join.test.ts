import { expect, test } from 'vitest';
import { drillRounds, drillTimeout, figure, median } from '../../helpers/drill-figures.ts';
import { type Instances, monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { ask, Load, problems } from '../../helpers/drill-load.ts';
import { answeredBy, type Change, startVane, type Vane } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';

const SLOW_MS = 3_000;
const GONE_WITHIN_MS = 50;
const THERE_WITHIN_MS = 100;

test('an instance that leaves finishes 3-second answers and gets nothing new', drillTimeout(20), async () => {
  const rounds = Math.ceil(drillRounds(5) / 5);
  await using vane = await start();
  const late: number[] = [];
  const lateSinceSent: number[] = [];
  let whole = 0;
  for (let round = 0; round < rounds; round++) {
    const names = Array.from({ length: 6 }, (_, i) => `web-${round}-${i}`);
    await using instances = await startInstances(...names);
    for (const [name, address] of instances.addresses) await vane.register(name, address);
    await answeredBy(vane.port, names);
    await using load = new Load({ port: vane.port });

    const slow = Array.from({ length: 4 * names.length }, () => ask(vane.port, `/slow?ms=${SLOW_MS}`));
    const slowAt = () => instances.noted().filter(({ target }) => target.startsWith('/slow'));
    await eventually(() => expect(slowAt()).toHaveLength(slow.length));
    const leaving = names.slice(1);
    const changes = new Map<string, Change>();
    for (const name of leaving) {
      await load.more(20);
      changes.set(name, await vane.deregister(name));
    }
    const lastChange = monotonic();
    const slowDone = await Promise.all(slow);
    const slowestDone = monotonic();
    await load.more(100);
    await load.stop();

    // All changes came while the answers were under way, and each of the instances had several of them.
    expect(lastChange - Math.min(...slowAt().map(({ at }) => at))).toBeLessThan(SLOW_MS);
    for (const name of leaving) {
      expect(slowAt().filter(({ instance }) => instance === name).length).toBeGreaterThan(1);
    }
    expect(problems(slowDone)).toEqual({});
    expect(problems(load.answered)).toEqual({});
    whole += slowDone.length;
    for (const [name, { sentAt, ackAt }] of changes) {
      const starts = instances
        .noted()
        .filter(({ instance, event }) => instance === name && event === 'start');
      const last = Math.max(...starts.map(({ at }) => at));
      expect(slowestDone).toBeGreaterThan(last);
      late.push(last - ackAt);
      lateSinceSent.push(last - sentAt);
    }
    await vane.deregister(names[0] ?? '');
  }

  figure('leave', 'instances deregistered under load', late.length);
  figure('leave', '3-second answers that were whole', whole);
  figure('leave', 'last request after the acknowledgement, median, ms', median(late), `${GONE_WITHIN_MS}`);
  figure('leave', 'last request after the acknowledgement, worst, ms', Math.max(...late));
  figure('leave', 'last request after the change was sent, worst, ms', Math.max(...lateSinceSent));
  expect(median(late)).toBeLessThan(GONE_WITHIN_MS);
});

test('an instance that registers gets its first request at once', drillTimeout(20), async () => {
  const names = Array.from({ length: drillRounds(8) }, (_, i) => `new-${i}`);
  await using vane = await start();
  await using instances = await startInstances('old-1', 'old-2', ...names);
  const register = (name: string, extra = {}) =>
    vane.register(name, instances.addresses.get(name) ?? '', extra);
  await register('old-1');
  await register('old-2');
  await answeredBy(vane.port, ['old-1', 'old-2']);
  await using load = new Load({ port: vane.port });
  await load.more(100);

  const waits: number[] = [];
  const waitsSinceSent: number[] = [];
  for (const [i, name] of names.entries()) {
    // Without a check, or with one whose first status is given.
    const check = { TTL: '1h', Status: 'passing' };
    const { sentAt, ackAt } = await register(name, i % 2 === 0 ? {} : { Check: check });
    const first = await eventually(() => firstStart(instances, name));
    waits.push(first - ackAt);
    waitsSinceSent.push(first - sentAt);
    await vane.deregister(name);
    await load.more(20);
  }
  await load.stop();

  figure('join', 'instances registered under load', waits.length);
  figure('join', 'first request after the acknowledgement, median, ms', median(waits), `${THERE_WITHIN_MS}`);
  figure('join', 'first request after the acknowledgement, worst, ms', Math.max(...waits));
  figure('join', 'first request after the registration was sent, worst, ms', Math.max(...waitsSinceSent));
  expect(median(waits)).toBeLessThan(THERE_WITHIN_MS);
  expect(problems(load.answered)).toEqual({});
});

function firstStart(instances: Instances, name: string): number {
  const first = instances.noted().find(({ instance, event }) => instance === name && event === 'start');
  if (!first) throw new Error(`${name} has had no request`);
  return first.at;
}

function start(): Promise<Vane> {
  // An interval far longer than the drill: only what the registry pushes can be in time.
  return startVane(
    ({ frontend, stats, http }) => `
global: { log: { level: warn }, stats: { bind: "${stats}" } }
registry: { http: "${http}", dns: off }
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: [{ domain: web.service.consul, interval: 1h, drain: 20s }] } }
`,
  );
}
