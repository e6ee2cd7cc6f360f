import { expect, onTestFinished, test } from 'vitest';
import { drillTimeout } from '../../helpers/drill-figures.ts';
import { type Instances, monotonic, startInstances } from '../../helpers/drill-instances.ts';
import {
  besideVane,
  Drill,
  IS_LONG,
  type Left,
  type Measured,
  PUSH_MS,
} from '../../helpers/drill-proxies.ts';
import { type ScriptedNameserver, startScriptedNameserver } from '../../helpers/drill-scripted-nameserver.ts';
import { answeredBy, portOf, startVane } from '../../helpers/drill-vane.ts';
import { freeAddresses } from '../../helpers/free-port.ts';

/** In the long form that of HAProxy. */
const INTERVAL_MS = IS_LONG ? 1_000 : 200;
const BAR_MS = INTERVAL_MS + PUSH_MS;
/** An answer that does not come is waited for this long before the query is sent again: by default, as in HAProxy. */
const RETRY_MS = 1_000;
const OUTAGE_MS = IS_LONG ? 10_000 : 1_000;
const AFTER_MS = IS_LONG ? 6_000 : 1_000;
/** The machine may be busy. */
const LATE_AT_MOST_MS = 5_000;

const HOSTS = ['127.0.0.11', '127.0.0.12', '127.0.0.13'] as const;
const NAMES = ['web-1', 'web-2', 'web-3'] as const;
const BOTH = NAMES.slice(0, 2);

interface Site {
  readonly nameserver: ScriptedNameserver;
  readonly instances: Instances;
  readonly all: readonly Measured[];
}

async function site(prepare: (nameserver: ScriptedNameserver) => void = () => {}): Promise<Site> {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const port = portOf((await freeAddresses(1))[0] ?? '');
  const instances = stack.use(await startInstances(...NAMES.map((name, i) => `${name}=${HOSTS[i]}:${port}`)));
  const nameserver = stack.use(await startScriptedNameserver(HOSTS.slice(0, 2)));
  prepare(nameserver);
  const name = `web.example.test:${port}`;
  const [beside, vane] = await Promise.all([
    besideVane(stack, { nameserver: nameserver.at, name, bar: BAR_MS }),
    startVane(
      ({ frontend, stats }) => `
global: { log: { level: warn }, stats: { bind: "${stats}" } }
registry: off
resolvers: { corp: { nameserver: { ns1: "${nameserver.at}" } } }
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: [{ domain: "${name}", interval: ${INTERVAL_MS}ms, drain: 20s }] } }
`,
    ),
  ]);
  stack.use(vane);
  return { nameserver, instances, all: [{ name: 'Vane', port: vane.port, bar: BAR_MS }, ...beside] };
}

function expectGood(outcome: Awaited<ReturnType<Drill['end']>>): void {
  expect(outcome.problems).toEqual([]);
  expect(outcome.failed).toBe(0);
  expect(outcome.lastLateMs ?? 0).toBeLessThan(LATE_AT_MOST_MS);
}

test('a nameserver in trouble fails nobody, and is followed once it answers', drillTimeout(60), async () => {
  const { nameserver, instances, all } = await site();
  for (const trouble of ['silent', 'garbage', 'nxdomain', 'truncated', 'ttl-0'] as const) {
    nameserver.addresses = HOSTS.slice(0, 2);
    const unanswered = trouble === 'silent' || trouble === 'garbage';
    const bar = unanswered ? BAR_MS + RETRY_MS : BAR_MS;
    const measured = all.map((proxy) => ({ ...proxy, bar }));
    await using drill = await Drill.begin(trouble, instances, measured, { names: BOTH });
    await drill.more(20);
    const queries = nameserver.queries;
    if (trouble === 'ttl-0') nameserver.ttl = 0;
    else nameserver.behaviour = trouble;
    await drill.during(OUTAGE_MS);
    const asked = ((nameserver.queries - queries) * 1_000) / OUTAGE_MS;
    // What is truncated over UDP is whole over TCP, and can be followed at once.
    if (trouble !== 'truncated') nameserver.behaviour = 'answers';
    nameserver.addresses = HOSTS.slice(1);
    const left: Left = { instance: 'web-1', at: monotonic() };
    await drill.during(AFTER_MS);
    const note = `${asked.toFixed(1)} queries a second of all before`;
    expectGood(await drill.end({ left: [left], note }));
    Object.assign(nameserver, { behaviour: 'answers', ttl: 60 });
  }
});

test('the one address changes again and again', drillTimeout(60), async () => {
  const rotations = IS_LONG ? 8 : 3;
  const every = IS_LONG ? 2_000 : 500;
  const { nameserver, instances, all } = await site((before) => {
    before.addresses = HOSTS.slice(0, 1);
  });
  await using drill = await Drill.begin('rotating', instances, all, { names: NAMES.slice(0, 1) });
  const left: Left[] = [];
  for (let i = 0; i < rotations; i++) {
    const [was, is] = [i % HOSTS.length, (i + 1) % HOSTS.length];
    nameserver.addresses = [HOSTS[is] ?? ''];
    const at = monotonic();
    // It is back two changes later.
    left.push({ instance: NAMES[was] ?? '', at, until: at + 2 * every });
    await drill.during(every);
  }
  expectGood(await drill.end({ left }));
});

test('a name that does not resolve at the start is served once it does', drillTimeout(60), async () => {
  const from = monotonic();
  const { nameserver, instances, all } = await site((before) => {
    before.behaviour = 'nxdomain';
  });
  await using drill = await Drill.begin('unresolvable', instances, all);
  await drill.during(OUTAGE_MS / 2);
  nameserver.behaviour = 'answers';
  const to = monotonic();
  await Promise.all(all.map(({ port }) => answeredBy(port, BOTH, 20_000)));
  await drill.during(AFTER_MS);
  expectGood(await drill.end({ without: [{ from, to }] }));
});
