import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FailureName, FailureOutcome } from './drill-failure-rows.ts';
import type { FaultyInstances } from './drill-faulty-instances.ts';
import { percentile } from './drill-figures.ts';
import { monotonic } from './drill-instances.ts';
import { type Begun, OpenLoad } from './drill-open-load.ts';
import { IS_LONG } from './drill-proxies.ts';
import { startVane } from './drill-vane.ts';
import { eventually } from './eventually.ts';
import { freeAddresses } from './free-port.ts';
import { startProgram } from './program.ts';

/** Where `npm run drills` collects them, with its other outcomes. */
const FILE = process.env.VANE_DRILL_OUTCOMES;
/** Checks, which are the same for both proxies. */
const INTER_MS = 500;
const FALL = 2;
const STALLED_MS = 1_000;

interface Proxy extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
}

export interface Settings {
  /** Requests at once of each instance; 0: any number. */
  readonly maxconn?: number;
  readonly timeoutQueue?: string;
}

/** Vane, and in the long form HAProxy, before the same instances and with the same settings. */
export async function startProxies(
  stack: AsyncDisposableStack,
  { addresses }: FaultyInstances,
  { maxconn = 0, timeoutQueue = '2s' }: Settings = {},
): Promise<readonly Proxy[]> {
  const vane = stack.use(
    await startVane(
      ({ frontend, stats }) => `
global: { log: { level: warn }, stats: { bind: "${stats}" } }
registry: off
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends:
  web:
    option: [httpchk GET /health]
    retry-on: all-retryable-errors
    outlier: errors 5 time 2s max 34%
    timeout: { connect: 1s, server: 3s, queue: ${timeoutQueue} }
    servers:
${addresses.map((at) => `      - { address: "${at}", maxconn: ${maxconn}, check: inter ${INTER_MS}ms fall ${FALL} rise 1 }`).join('\n')}
`,
    ),
  );
  const proxies: Proxy[] = [{ name: 'Vane', port: vane.port, [Symbol.asyncDispose]: async () => {} }];
  if (IS_LONG) {
    const haproxy = await startHaproxy(addresses, maxconn, timeoutQueue).catch(() => undefined);
    if (haproxy) proxies.push(stack.use(haproxy));
  }
  return proxies;
}

async function startHaproxy(
  addresses: readonly string[],
  maxconn: number,
  timeoutQueue: string,
): Promise<Proxy> {
  const [at = ''] = await freeAddresses(1);
  const folder = mkdtempSync(join(tmpdir(), 'vane-drill-'));
  const file = join(folder, 'haproxy.cfg');
  const limit = maxconn > 0 ? ` maxconn ${maxconn}` : '';
  writeFileSync(
    file,
    `
global
  nbthread 1
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 3s
  timeout queue ${timeoutQueue}
  option redispatch 1
  retry-on all-retryable-errors
frontend www
  bind ${at}
  default_backend web
backend web
  balance roundrobin
  option httpchk GET /health
${addresses.map((address, i) => `  server web-${i} ${address} check inter ${INTER_MS}ms fall ${FALL} rise 1${limit}`).join('\n')}
`,
  );
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const program = startProgram('/usr/bin/env', ['haproxy', '-db', '-q', '-f', file], { PATH: path });
  const port = Number(at.split(':')[1]);
  await eventually(async () => {
    const answer = await fetch(`http://${at}/work`, { headers: { connection: 'close' } });
    if (!answer.ok) throw new Error(`HAProxy answers ${answer.status}`);
  }, 5_000);
  return {
    name: 'HAProxy',
    port,
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Failure {
  readonly name: FailureName;
  readonly perSecond: number;
  /** Times of the three parts, ms. */
  readonly before: number;
  readonly during: number;
  readonly after: number;
  begin(loads: readonly OpenLoad[]): Promise<void> | void;
  end(loads: readonly OpenLoad[]): Promise<void> | void;
}

/** Has all proxies meet one failure at the same time; returns what each of them did. */
export async function meet(
  proxies: readonly Proxy[],
  instances: FaultyInstances,
  failure: Failure,
): Promise<readonly (FailureOutcome & { readonly answered: readonly Begun[] })[]> {
  const loads = proxies.map(({ port }) => new OpenLoad(port, failure.perSecond));
  const pass = async (ms: number) => {
    const until = monotonic() + ms;
    await eventually(() => {
      if (monotonic() < until) throw new Error('not yet');
    }, ms + 20_000);
  };
  let begunAt = 0;
  let endedAt = 0;
  try {
    await pass(failure.before);
    begunAt = monotonic();
    await failure.begin(loads);
    await pass(failure.during);
    endedAt = monotonic();
    await failure.end(loads);
    await pass(failure.after);
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
  }
  const executions = instances.executions();
  return loads.map(({ answered }, i) => {
    const of = (method: string) => answered.filter((one) => one.method === method);
    const failed = (all: readonly Begun[]) => all.filter(({ problem }) => problem !== undefined);
    const good = answered.filter(({ problem }) => problem === undefined);
    const within = (from: number, to: number) =>
      good.filter((one) => one.from >= from && one.from < to).map(({ ms }) => ms);
    const outcome: FailureOutcome = {
      failure: failure.name,
      proxy: proxies[i]?.name ?? '',
      gets: of('GET').length,
      getsFailed: failed(of('GET')).length,
      posts: of('POST').length,
      postsFailed: failed(of('POST')).length,
      postsTwice: of('POST').filter(({ id }) => (executions.get(id) ?? 0) > 1).length,
      stalled: answered.filter(({ ms }) => ms > STALLED_MS).length,
      p99Before: percentile(
        good.filter(({ at }) => at < begunAt).map(({ ms }) => ms),
        99,
      ),
      p99During: percentile(within(begunAt + INTER_MS * FALL + INTER_MS, endedAt), 99),
      note: '',
    };
    return { ...outcome, answered };
  });
}

/** Tells what a proxy did. */
export function recordFailure({ answered: _, ...outcome }: FailureOutcome & { answered?: unknown }): void {
  const { failure, proxy, gets, getsFailed, posts, postsFailed, postsTwice, stalled } = outcome;
  const p99 = `p99 ${outcome.p99Before.toFixed(0)} -> ${outcome.p99During.toFixed(0)} ms`;
  console.log(
    `${failure}: ${proxy}: GET ${getsFailed} of ${gets} failed, POST ${postsFailed} of ${posts}, ${postsTwice} twice, ${stalled} stalled, ${p99} ${outcome.note}`,
  );
  if (FILE) appendFileSync(FILE, `${JSON.stringify(outcome)}\n`);
}
