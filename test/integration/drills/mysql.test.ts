import { afterAll, beforeAll } from 'vitest';
import { drillRounds, drillTimeout } from '../../helpers/drill-figures.ts';
import { type MariadbPair, mariadbPair, mariadbPairWith } from '../../helpers/mariadb.ts';
import { type Fault, loseMaster } from '../../helpers/mysql-rounds.ts';
import { needs, needsNamespaces } from '../../helpers/needs.ts';
import { NetworkNamespace } from '../../helpers/network-namespace.ts';

const ROUNDS = drillRounds(1);
const DRILL = 'mysql-vip';
/** Of a round in which the master is gone without a word. */
const LONG_ROUND_S = 12;

const ends = (signal: NodeJS.Signals): Fault => ({
  ...{ name: signal, bar: 1_500 },
  strike: ({ master }) => master.end(signal),
  mend: ({ master }) => master.start(),
});
const HANGS: Fault = {
  ...{ name: 'SIGSTOP', bar: 6_000 },
  strike: ({ master }) => master.signal('SIGSTOP'),
  mend: ({ master }) => master.signal('SIGCONT'),
};

needs('mariadbd', 'mariadb-server').describe('a MySQL master is lost under load, again and again', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  beforeAll(async () => {
    pair = await mariadbPair();
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
  });

  const { timeout } = drillTimeout(ROUNDS * LONG_ROUND_S);
  for (const fault of [ends('SIGKILL'), ends('SIGTERM'), HANGS]) {
    test(`by ${fault.name}`, () => loseMaster(DRILL, pair, fault, ROUNDS), timeout);
  }
});

needs('mariadbd', 'mariadb-server').describe('the network of a MySQL master is lost under load', () => {
  const { test } = needsNamespaces();
  const faults = [
    {
      name: 'link cut',
      strike: (network: NetworkNamespace) => network.pull(),
      mend: (network: NetworkNamespace) => network.plug(),
    },
    {
      name: 'answers lost',
      strike: (network: NetworkNamespace) => network.mute(),
      mend: (network: NetworkNamespace) => network.unmute(),
    },
  ];
  const { timeout } = drillTimeout(ROUNDS * LONG_ROUND_S);

  for (const { name, strike, mend } of faults) {
    test(
      `by ${name}`,
      async () => {
        using network = NetworkNamespace.open();
        await using pair = await mariadbPairWith(network);
        const fault = { name, bar: 6_000, strike: () => strike(network), mend: () => mend(network) };
        await loseMaster(DRILL, pair, fault, ROUNDS);
      },
      timeout,
    );
  }
});
