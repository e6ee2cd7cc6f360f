import { isReplacement } from './judgement.ts';
import { staleness } from './server-facts.ts';
import { type FailoverPolicy, masterOf, type VipState } from './vip-state.ts';

/** Slaves whose lag differs by less are as good as each other, ms. */
const SAME_LAG_MS = 1_000;

/**
 * Who is to be read from: the slave that lags least, of those that lag alike the one with the fewest sessions; those
 * tried already last. Undefined: no slave can be.
 */
export function serverForReading(
  state: VipState,
  policy: FailoverPolicy,
  now: number,
  tried: ReadonlySet<string>,
  sessions: (server: string) => number,
): string | undefined {
  const master = masterOf(state);
  const fit = state.servers
    .filter((server) => isReplacement(state, server, now, policy))
    .map((server) => ({
      id: server.id,
      tried: Number(tried.has(server.id)),
      lag: Math.floor(staleness(server, master, now) / SAME_LAG_MS),
      sessions: sessions(server.id),
    }));
  const [best] = fit.toSorted((a, b) => a.tried - b.tried || a.lag - b.lag || a.sessions - b.sessions);
  // A master that works is better than a slave that did not.
  const isMasterBetter = best?.tried && master.up === true && state.target === master.id;
  return isMasterBetter && !tried.has(master.id) ? master.id : best?.id;
}
