import { createAlgorithm } from '../../src/balance/algorithms.ts';
import type { ServerSnapshot } from '../../src/balance/server.ts';
import type { BalanceAlgorithm } from '../../src/config/runtime/balance.ts';
import { generator } from '../../test/helpers/server-snapshot.ts';

/** What one choice costs, with all that the algorithm is told for it. */
export interface PickCost {
  /** Microseconds a choice, of the best of several batches. */
  readonly us: number;
  /** Of all servers, those that were chosen at all. */
  readonly used: number;
  /** Microseconds to take one server away and to bring it back. */
  readonly changeUs: number;
}

/** Work under way at once, per server: every choice begins one piece of work and ends the oldest. */
const UNDER_WAY = 2;
/** The most a server takes: those that come first in some order are full. */
const MAXCONN = 3;
const BATCHES = 8;

/**
 * Chooses among so many servers as a backend does: work begins on the server that was chosen, the oldest ends, and the
 * algorithm is told of both. Weights are those of a site whose machines are of four sizes.
 */
export function pickCost(config: BalanceAlgorithm, servers: number, picks: number): PickCost {
  const random = generator(7);
  let now = 0;
  const set = Array.from({ length: servers }, (_, i) => serverOf(i));
  const load = new Map(set.map(({ id }) => [id, 0]));
  const algorithm = createAlgorithm(config, { random, now: () => now, load: (id) => load.get(id) ?? 0 });
  algorithm.rebuild(set);
  const line: string[] = new Array(servers * UNDER_WAY).fill('');
  const used = new Set<string>();
  let at = 0;
  const change = (id: string, by: 1 | -1) => {
    load.set(id, (load.get(id) ?? 0) + by);
    algorithm.loadChanged?.(id);
  };
  const hasRoom = ({ id }: ServerSnapshot) => (load.get(id) ?? 0) < MAXCONN;
  const step = () => {
    now += 0.05;
    const oldest = line[at] ?? '';
    if (oldest !== '') {
      change(oldest, -1);
      algorithm.answered?.(oldest, { now, tookMs: 5 + 20 * random(), failed: false });
    }
    const key = config.kind === 'hash' ? (random() * 2 ** 32) >>> 0 : undefined;
    const { id = '' } = algorithm.pick(hasRoom, key) ?? {};
    if (id !== '') change(id, 1);
    line[at] = id;
    at = (at + 1) % line.length;
    return id;
  };
  // Until as much is under way as in the measurement.
  for (let i = 0; i < 2 * line.length; i++) step();
  let best = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < BATCHES; batch++) {
    const before = process.hrtime.bigint();
    for (let i = 0; i < picks; i++) step();
    best = Math.min(best, Number(process.hrtime.bigint() - before) / 1_000 / picks);
  }
  for (let i = 0; i < 4 * servers; i++) used.add(step());
  const before = process.hrtime.bigint();
  algorithm.rebuild(set.slice(1));
  algorithm.rebuild(set);
  const changeUs = Number(process.hrtime.bigint() - before) / 1_000;
  return { us: best, used: used.size / servers, changeUs };
}

function serverOf(i: number): ServerSnapshot {
  const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
  return {
    id: `${address}:80/web-${i}`,
    name: `web-${i}`,
    address,
    port: 80,
    weight: 1 + (i % 4),
    tier: 0,
    backup: false,
    maxconn: MAXCONN,
    rank: 0,
    admission: 'open',
  };
}
