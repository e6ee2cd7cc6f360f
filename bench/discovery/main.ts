// npm run bench -- discovery: what a change of servers costs, and how late everything else is meanwhile.
import { type ChangeCost, changeCost } from './change-cost.ts';
import { type Pushes, pushes } from './pushes.ts';
import type { Site } from './site.ts';

const FEW: Site = { backends: 50, servers: 10 };
const MANY: Site = { backends: 500, servers: 10 };
const SHARED: Site = { backends: 200, servers: 10, shared: true };
const ONE_LARGE: Site = { backends: 1, servers: 5_000, shared: true };

const ROUNDS = 5;
const PER_SECOND = 100;
const SECONDS = 15;

/** The other backends may cost this much: what they keep in memory has to be looked after. */
const RATIO_BAR = 1.5;
const DELAY_BAR_MS = 20;

let failed = false;

function print(what: string, figure: string, bar?: { readonly is: string; readonly reached: boolean }): void {
  if (bar && !bar.reached) failed = true;
  const verdict = bar ? `${bar.is.padEnd(12)}${bar.reached ? 'pass' : 'FAIL'}` : '';
  console.log(`${what.padEnd(66)}${figure.padStart(12)}  ${verdict}`.trimEnd());
}

/** The least of several rounds that take turns, so that what disturbs one does not disturb all of its kind. */
async function leastOf(sites: readonly Site[]): Promise<readonly ChangeCost[]> {
  const best: ChangeCost[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, site] of sites.entries()) {
      const cost = await changeCost(site);
      if (!best[i] || cost.ms < best[i].ms) best[i] = cost;
    }
  }
  return best;
}

const figure = (ms: number | undefined, digits: number) => `${(ms ?? Number.NaN).toFixed(digits)} ms`;

const [few, many] = await leastOf([FEW, MANY]);
const [shared] = await leastOf([SHARED]);
const [large] = await leastOf([ONE_LARGE]);
const ratio = (many?.ms ?? Number.NaN) / (few?.ms ?? Number.NaN);
print('one change among 50 backends of 10 servers', figure(few?.ms, 3));
print('one change among 500 backends of 10 servers', figure(many?.ms, 3));
print('  the ratio of the two', ratio.toFixed(2), { is: `<= ${RATIO_BAR}`, reached: ratio <= RATIO_BAR });
const servers = many?.servers ?? Number.NaN;
print('  servers told of to the data plane', servers.toFixed(2), { is: '<= 1', reached: servers <= 1 });
print('one change of a name that 200 backends follow', figure(shared?.ms, 2));
print('one change among 5000 servers of one backend', figure(large?.ms, 2));

for (const workers of [0, 1]) {
  const { perSecond, ...took }: Pushes = await pushes(MANY, workers, PER_SECOND, SECONDS);
  const where = workers === 0 ? 'all in one process' : 'workers: 1, in the control process';
  print(`5000 servers, ${where}: changes a second`, perSecond.toFixed(0), {
    is: `>= ${0.95 * PER_SECOND}`,
    reached: perSecond >= 0.95 * PER_SECOND,
  });
  print('  event loop delay, median', figure(took.p50Ms, 1));
  print('  event loop delay, p99', figure(took.p99Ms, 1), {
    is: `<= ${DELAY_BAR_MS} ms`,
    reached: took.p99Ms <= DELAY_BAR_MS,
  });
  print('  event loop delay, longest', figure(took.maxMs, 1));
  print('  event loop delay, p99 before the first change', figure(took.restP99Ms, 1));
  print('  share of one core', `${(100 * took.cpuShare).toFixed(0)} %`);
}
process.exit(failed ? 1 : 0);
