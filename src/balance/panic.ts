import type { Member } from './member.ts';

/** Beyond any tier. */
const BACKUPS_FROM = 2 ** 32;

/** Of the servers that would be first to get work: how many there are, and how many of them are up. */
export interface Strength {
  readonly up: number;
  readonly usable: number;
}

/**
 * Looks at the servers that work goes to now: of those that discovery has and the operator allows, the first tier, and
 * backups after all others, that has one that is up. So servers that stand in for those that are down keep a backend
 * out of panic. Without any that is up it is all of them.
 */
export function strengthOf(members: Iterable<Member>): Strength {
  const tiers = new Map<number, { readonly order: number; up: number; usable: number }>();
  let usable = 0;
  for (const { snapshot, state } of members) {
    const { discovery, health, operator } = state.facts;
    if (!discovery.present || operator.mode !== 'ready' || snapshot.weight === 0) continue;
    const order = snapshot.backup ? BACKUPS_FROM + snapshot.tier : snapshot.tier;
    const tier = tiers.get(order) ?? { order, up: 0, usable: 0 };
    tiers.set(order, tier);
    tier.usable++;
    usable++;
    if (health.up) tier.up++;
  }
  let first: { readonly order: number; readonly up: number; readonly usable: number } | undefined;
  for (const tier of tiers.values()) {
    if (tier.up > 0 && !(first && first.order <= tier.order)) first = tier;
  }
  return first ? { up: first.up, usable: first.usable } : { up: 0, usable };
}

/**
 * Whether checks call so many servers down that they are more likely wrong than right, or that those which are left
 * would break under the load: then all are used (Envoy, "Panic threshold").
 *
 * @param threshold percent of the servers that must be up; 0: never
 */
export function isPanic({ up, usable }: Strength, threshold: number): boolean {
  return usable > 0 && up * 100 < threshold * usable;
}
