import type { BalanceAlgorithm } from '../config/runtime/balance.ts';
import type { Algorithm, AlgorithmDeps } from './algorithms/algorithm.ts';
import { ConsistentHash } from './algorithms/consistent-hash.ts';
import { First } from './algorithms/first.ts';
import { LeastConnections } from './algorithms/least-connections.ts';
import { MapHash } from './algorithms/map-hash.ts';
import { PeakEwma } from './algorithms/peak-ewma.ts';
import { RandomDraws } from './algorithms/random-draws.ts';
import { RoundRobin } from './algorithms/round-robin.ts';
import type { ServerSnapshot } from './server.ts';

export type { Algorithm, AlgorithmDeps, Answered } from './algorithms/algorithm.ts';

/** HAProxy configuration manual, section 4.2, `balance`. */
export function createAlgorithm(config: BalanceAlgorithm, deps: AlgorithmDeps): Algorithm {
  switch (config.kind) {
    // They differ in what weight a server comes with: see `static-rr` where weights are made.
    case 'roundrobin':
    case 'static-rr':
      return new RoundRobin(deps.load);
    case 'leastconn':
      return new LeastConnections(deps.load);
    case 'first':
      return new First(deps.load);
    case 'peak-ewma':
      return new PeakEwma(deps);
    case 'hash':
      return config.hash.type === 'consistent' ? new ConsistentHash(config.hash, deps) : new MapHash();
    case 'random':
      return new RandomDraws(config.draws, deps);
  }
}

/**
 * The servers that new work may go to: those of the lowest tier in use that are no backups; if there are none,
 * the first one of the lowest tier of backups, or all of that tier (HAProxy's `option allbackups`). A server of
 * weight 0 gets no new work, so it neither holds its tier nor keeps the backups out.
 */
export function eligible(servers: readonly ServerSnapshot[], allBackups = false): readonly ServerSnapshot[] {
  let best: ServerSnapshot[] = [];
  for (const server of servers) {
    if (server.admission !== 'open' || server.weight <= 0) continue;
    const [first] = best;
    const order = first ? Number(server.backup) - Number(first.backup) || server.tier - first.tier : 0;
    if (order < 0) best = [server];
    else if (order === 0) best.push(server);
  }
  return best[0]?.backup && !allBackups ? best.slice(0, 1) : best;
}
