import { parseArgs } from 'node:util';

/** What one run of the benchmark shall do. */
export interface Options {
  /** Names of scenarios and peers; empty is all. */
  readonly scenarios: readonly string[];
  readonly peers: readonly string[];
  /** Rounds of each scenario; the first warms up and is not counted if there are more. */
  readonly rounds: number;
  /** Length of one load on one peer. Whole seconds, because wrk knows no others. */
  readonly seconds: number;
  readonly quick: boolean;
  /** Whether docs/performance.md is written. */
  readonly docs: boolean;
}

export const USAGE = `npm run bench -- [OPTION…]

  --scenario NAME[,NAME…]  only these
  --peers NAME[,NAME…]     only these
  --rounds N               rounds of each scenario, the first of them a warm-up (default 5)
  --seconds N              length of one load on one peer (default 2)
  --quick                  2 rounds of 1 second with few peers: does it all work?
  --docs                   write docs/performance.md, which only a full run does by itself
  --list                   names of scenarios and peers
  --help                   this

npm run bench -- discovery

  what a change of servers costs with many backends, which needs no other programs

npm run bench -- checks

  what it costs to check 5000 servers every other second, which needs no other programs

npm run bench -- balance

  what the choice of a server costs with every algorithm, which needs no other programs

npm run bench -- registry

  the registry at scale: checks, blocking queries and registrations, which needs no other programs

npm run bench -- mysql

  mysql-vip beside HAProxy in mode tcp, which needs mariadb-server, sysbench and haproxy`;

/** Thrown with a message for the user. */
export class UsageError extends Error {}

/** Options, or the word `list` or `help` where that was asked for. Throws a UsageError. */
export function parseOptions(args: readonly string[]): Options | 'list' | 'help' {
  const { values } = parse(args);
  if (values.help) return 'help';
  if (values.list) return 'list';
  const quick = values.quick ?? false;
  const scenarios = names(values.scenario);
  const peers = names(values.peers);
  const rounds = wholeNumber('--rounds', values.rounds, quick ? 2 : 5, 50);
  const seconds = wholeNumber('--seconds', values.seconds, quick ? 1 : 2, 60);
  const full = !quick && scenarios.length === 0 && peers.length === 0;
  return { scenarios, peers, rounds, seconds, quick, docs: values.docs ?? full };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        scenario: { type: 'string', multiple: true },
        peers: { type: 'string', multiple: true },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        quick: { type: 'boolean' },
        docs: { type: 'boolean' },
        list: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function names(values: readonly string[] | undefined): string[] {
  return (values ?? []).flatMap((value) => value.split(',')).filter((name) => name !== '');
}

function wholeNumber(option: string, value: string | undefined, otherwise: number, most: number): number {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw new UsageError(`${option} takes a whole number from 1 to ${most}, not "${value}".`);
}
