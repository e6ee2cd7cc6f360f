// npm run bench -- balance [--quick]: what the choice of a server costs, with every algorithm.
import { parseArgs } from 'node:util';
import type { BalanceAlgorithm, HashConfig } from '../../src/config/runtime/balance.ts';
import { pickCost } from './picks.ts';

const SERVERS = 5_000;
const BAR_US = 2;

const hash = (changes: Partial<HashConfig>): BalanceAlgorithm => ({
  kind: 'hash',
  by: { kind: 'source' },
  hash: {
    ...{ type: 'consistent', function: 'sdbm', avalanche: true, key: 'id', balanceFactor: 0 },
    ...changes,
  },
});

const ALGORITHMS: readonly (readonly [name: string, config: BalanceAlgorithm])[] = [
  ['roundrobin', { kind: 'roundrobin' }],
  ['static-rr', { kind: 'static-rr' }],
  ['leastconn', { kind: 'leastconn' }],
  ['first', { kind: 'first' }],
  ['random(2)', { kind: 'random', draws: 2 }],
  ['peak-ewma', { kind: 'peak-ewma' }],
  ['source, map-based', hash({ type: 'map-based', avalanche: false })],
  ['source, consistent', hash({})],
  ['source, consistent, hash-balance-factor 150', hash({ balanceFactor: 150 })],
];

const { values } = parseArgs({ options: { quick: { type: 'boolean' } } });
const picks = values.quick ? 20_000 : 200_000;
let failed = false;
console.log(
  `${SERVERS} servers of four weights, two pieces of work under way on each, three at most; load changes with every choice`,
);
for (const [name, config] of ALGORITHMS) {
  const { us, used, changeUs } = pickCost(config, SERVERS, picks);
  const reached = us <= BAR_US;
  if (!reached) failed = true;
  const figure = `${us.toFixed(2)} µs`.padStart(9);
  const change = `${(changeUs / 1_000).toFixed(2)} ms`.padStart(9);
  const share = `${(100 * used).toFixed(0)} %`.padStart(6);
  console.log(
    `${name.padEnd(46)}${figure}  <= ${BAR_US} µs  ${reached ? 'pass' : 'FAIL'}   used ${share}   two changes ${change}`,
  );
}
process.exit(failed ? 1 : 0);
