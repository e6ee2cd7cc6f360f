import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { drillTimeout } from '../../helpers/drill-figures.ts';
import { monotonic, startInstances } from '../../helpers/drill-instances.ts';
import { besideVane, Drill, IS_LONG, PUSH_MS } from '../../helpers/drill-proxies.ts';
import { portOf, registryAt, startVane } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';
import { freeAddresses } from '../../helpers/free-port.ts';
import { type Program, startProgram } from '../../helpers/program.ts';

/** In the long form that of HAProxy. */
const INTERVAL_MS = IS_LONG ? 1_000 : 200;
/** A query that nobody answered is sent again after a second: by default, as in HAProxy. */
const RETRY_MS = 1_000;
const BAR_MS = INTERVAL_MS + RETRY_MS + PUSH_MS;
const OUTAGE_MS = IS_LONG ? 20_000 : 1_500;
const AFTER_MS = IS_LONG ? 6_000 : 1_000;
const LATE_AT_MOST_MS = 5_000;

const HOSTS = { 'web-1': '127.0.0.11', 'web-2': '127.0.0.12', 'web-3': '127.0.0.13' };

test('a registry that is hung, and one that is dead, fail nobody', drillTimeout(80), async () => {
  await using stack = new AsyncDisposableStack();
  const [http = '', dns = '', stats = '', anywhere = ''] = await freeAddresses(4);
  const port = portOf(anywhere);
  const specs = Object.entries(HOSTS).map(([name, host]) => `${name}=${host}:${port}`);
  const instances = stack.use(await startInstances(...specs));
  const file = configFile(
    stack,
    `
global: { log: { level: warn }, stats: { bind: "${stats}" } }
registry: { http: "${http}", dns: "${dns}" }
frontends: {}
backends: {}
`,
  );
  let running: Program | undefined;
  stack.defer(async () => running?.[Symbol.asyncDispose]());
  const client = registryAt(http, () => running?.output() ?? '');
  stack.defer(() => client.hangUp());
  const register = (name: string) => client.register(name, instances.addresses.get(name) ?? '');
  const run = async (...names: readonly string[]): Promise<Program> => {
    running = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', file]);
    await eventually(async () => {
      const ready = await fetch(`http://${stats}/readyz`).catch(() => undefined);
      if (!ready?.ok) throw new Error(`the registry is not ready: ${running?.output()}`);
    }, 20_000);
    for (const name of names) await register(name);
    return running;
  };
  const first = await run('web-1', 'web-2');

  const name = `web.service.consul:${port}`;
  const vane = stack.use(
    await startVane(
      (places) => `
global: { log: { level: warn }, stats: { bind: "${places.stats}" } }
registry: off
resolvers: { registry: { nameserver: { ns1: "${dns}" } } }
frontends: { www: { bind: "${places.frontend}", default_backend: web } }
backends: { web: { servers: [{ domain: "${name}", interval: ${INTERVAL_MS}ms, drain: 20s }] } }
`,
    ),
  );
  const beside = await besideVane(stack, { nameserver: dns, name, bar: BAR_MS });
  const all = [{ name: 'Vane', port: vane.port, bar: BAR_MS }, ...beside];
  const both = ['web-1', 'web-2'];

  {
    await using hung = await Drill.begin('registry-hung', instances, all, { names: both });
    first.signal('SIGSTOP');
    await hung.during(OUTAGE_MS);
    first.signal('SIGCONT');
    await register('web-3');
    const { ackAt: at } = await client.deregister('web-1');
    await hung.during(AFTER_MS);
    expectGood(await hung.end({ left: [{ instance: 'web-1', at }] }));
  }
  await register('web-1');
  await client.deregister('web-3');
  {
    await using dead = await Drill.begin('registry-dead', instances, all, { names: both });
    client.hangUp();
    first.signal('SIGKILL');
    await first.ended;
    await dead.during(OUTAGE_MS);
    // Back with an empty memory, into which the instances come again.
    await run('web-2', 'web-3');
    const at = monotonic();
    await dead.during(AFTER_MS);
    expectGood(await dead.end({ left: [{ instance: 'web-1', at }] }));
  }
});

function expectGood(outcome: Awaited<ReturnType<Drill['end']>>): void {
  expect(outcome.problems).toEqual([]);
  expect(outcome.failed).toBe(0);
  expect(outcome.lastLateMs ?? 0).toBeLessThan(LATE_AT_MOST_MS);
}

function configFile(stack: AsyncDisposableStack, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'vane-drill-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'registry.yaml');
  writeFileSync(file, text);
  return file;
}
