import { hasProgram } from '../machine.ts';
import { type Figure, type Part, percentile } from '../registry/result.ts';
import type { Place } from './place.ts';
import { type Started, startHaproxy, startVane } from './proxies.ts';
import { LOAD_USER, WireClient } from './wire.ts';

/** Work per CPU-second of a proxy, to HAProxy's. */
const BAR = 0.9;
const THREADS = 16;
const ROWS = 10_000;
/** 50 rows of a megabyte would be one packet each; rows of a kilobyte are what applications have. */
const LARGE_SQL = "SELECT REPEAT('x', 1000) FROM test.numbers LIMIT 50000";

interface Sample {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

/** Does something through a port for some time, and tells how much was done. */
type Load = (port: number) => Promise<{ readonly done: number; readonly seconds: number }>;

/** sysbench, through one proxy after the other, in turns: what disturbs the machine disturbs all. */
export async function sysbench(place: Place): Promise<Part | undefined> {
  if (!hasProgram('sysbench')) {
    console.log('Not measured: sysbench (apt-get install sysbench)');
    return undefined;
  }
  await run(place, 'oltp_read_only', place.port, ['prepare']);
  const figures: Figure[] = [];
  for (const [script, title] of [
    ['oltp_point_select', 'Point selects'],
    ['oltp_read_only', 'Read-only transactions, queries'],
  ] as const) {
    figures.push(
      ...(await compared(place, title, BAR, async (port) => {
        const said = await run(place, script, port, ['run']);
        const [, done = 0] = /total:\s+(\d+)/.exec(said) ?? [];
        const [, seconds = 0] = /total time:\s+([\d.]+)s/.exec(said) ?? [];
        return { done: Number(done), seconds: Number(seconds) };
      })),
    );
  }
  return {
    name: 'sysbench',
    title: 'Queries by sysbench',
    how: `sysbench with ${THREADS} threads and prepared statements, ${place.seconds} s in each of ${place.rounds} rounds, medians.`,
    figures,
  };
}

/** Results of 50 MB, one after the other. */
export async function largeResults(place: Place): Promise<Part> {
  const direct = await WireClient.login(place.port);
  await direct.query('CREATE TABLE IF NOT EXISTS numbers (n INT) ENGINE=MEMORY');
  await direct.query('INSERT INTO numbers SELECT seq FROM seq_1_to_50000');
  direct.end();
  const figures = await compared(place, 'Results of 50 MB, megabytes', BAR, async (port) => {
    const client = await WireClient.login(port);
    const begun = performance.now();
    let bytes = 0;
    while (performance.now() - begun < place.seconds * 1000) bytes += await client.rows(LARGE_SQL);
    client.end();
    return { done: bytes / 2 ** 20, seconds: (performance.now() - begun) / 1000 };
  });
  return {
    name: 'large-results',
    title: 'Large results',
    how: `50,000 rows of a kilobyte, again and again, in one session; ${place.seconds} s in each of ${place.rounds} rounds, medians.`,
    figures,
  };
}

async function compared(place: Place, title: string, bar: number, load: Load): Promise<readonly Figure[]> {
  const proxies = [await startVane(place), await startHaproxy(place)].filter((proxy) => proxy !== undefined);
  const samples = new Map<Started, Sample[]>(proxies.map((proxy) => [proxy, []]));
  // The first round warms up.
  for (let round = 0; round <= place.rounds; round++) {
    for (const proxy of proxies) {
      place.progress(`${title}: ${proxy.name}, ${round === 0 ? 'warm-up' : `round ${round}`}`);
      const before = proxy.cpuSeconds();
      const { done, seconds } = await load(proxy.port);
      const sample = { perSecond: done / seconds, perCpuSecond: done / (proxy.cpuSeconds() - before) };
      if (round > 0) samples.get(proxy)?.push(sample);
    }
  }
  for (const proxy of proxies) await proxy.end();
  const of = (proxy: Started, key: keyof Sample) =>
    middle((samples.get(proxy) ?? []).map((sample) => sample[key]));
  const figures = proxies.flatMap((proxy): Figure[] => [
    { name: `${title} per CPU-second: ${proxy.name}`, value: of(proxy, 'perCpuSecond'), unit: '/s' },
    { name: `${title} per second: ${proxy.name}`, value: of(proxy, 'perSecond'), unit: '/s' },
  ]);
  const [vane, haproxy] = proxies;
  if (!vane || !haproxy) {
    console.log('Not measured: HAProxy (apt-get install haproxy)');
    return figures;
  }
  // Of each round by itself: rounds differ by more than proxies do.
  const ratios = (samples.get(vane) ?? []).map(
    ({ perCpuSecond }, i) => perCpuSecond / (samples.get(haproxy)?.[i]?.perCpuSecond ?? Number.NaN),
  );
  const name = `${title}: per CPU-second, to HAProxy`;
  return [...figures, { name, value: middle(ratios), unit: '', bar: { at: 'least', limit: bar } }];
}

function run(place: Place, script: string, port: number, more: readonly string[]): Promise<string> {
  const args = [
    ...[script, '--mysql-host=127.0.0.1', `--mysql-port=${port}`, `--mysql-user=${LOAD_USER}`],
    ...['--mysql-password=', '--mysql-db=test', '--mysql-ssl=off', '--tables=1', `--table-size=${ROWS}`],
    ...[`--threads=${THREADS}`, `--time=${place.seconds}`, ...more],
  ];
  return place.processes.run({ program: 'sysbench', args, cores: place.cores.load }, 120_000);
}

export function middle(values: readonly number[]): number {
  return percentile(values, 0.5);
}
