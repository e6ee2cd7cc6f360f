// npm run bench -- checks: what it costs to check thousands of servers every other second, over real sockets.
import { runChecks } from './run-checks.ts';
import type { Kind } from './site.ts';

const SERVERS = 5_000;
const SECONDS = 20;
const DELAY_BAR_MS = 20;
const CPU_BAR = 0.5;

let failed = false;

function print(what: string, figure: string, bar?: { readonly is: string; readonly reached: boolean }): void {
  if (bar && !bar.reached) failed = true;
  const verdict = bar ? `${bar.is.padEnd(12)}${bar.reached ? 'pass' : 'FAIL'}` : '';
  console.log(`${what.padEnd(66)}${figure.padStart(12)}  ${verdict}`.trimEnd());
}

const figure = (ms: number) => `${ms.toFixed(1)} ms`;
const KINDS: readonly Kind[] = ['tcp', 'httpchk'];

for (const kind of KINDS) {
  const run = await runChecks(kind, SERVERS, SECONDS);
  print(`${SERVERS} servers, ${kind} every 2 s: servers found good`, String(run.good), {
    is: `= ${SERVERS}`,
    reached: run.good === SERVERS,
  });
  print('  event loop delay, median', figure(run.p50Ms));
  print('  event loop delay, p99', figure(run.p99Ms));
  print('  event loop delay, p99 at rest: other work of the machine', figure(run.restP99Ms));
  print('  event loop delay, p99 without waiting for a processor', figure(run.ownP99Ms), {
    is: `<= ${DELAY_BAR_MS} ms`,
    reached: run.ownP99Ms <= DELAY_BAR_MS,
  });
  print('  the same while the first checks are made', figure(run.firstP99Ms));
  print('  the longest', figure(run.ownMaxMs));
  print('  share of one core', `${(100 * run.cpuShare).toFixed(0)} %`, {
    is: `<= ${100 * CPU_BAR} %`,
    reached: run.cpuShare <= CPU_BAR,
  });
  print('  of it per check', `${((1e6 * run.cpuShare) / run.perSecond).toFixed(0)} µs`);
}
process.exit(failed ? 1 : 0);
