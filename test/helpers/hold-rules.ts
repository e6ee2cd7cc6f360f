import type { HoldTimes } from '../../src/config/runtime/resolvers.ts';
import type { HoldRules } from '../../src/discovery/held-names.ts';

/** A section whose answers count at once, changed by `hold` and `rules`. */
export function holding(hold: Partial<HoldTimes> = {}, rules: Partial<HoldRules> = {}): HoldRules {
  const none = { valid: 0, nx: 0, obsolete: 0, timeout: undefined, refused: undefined, other: undefined };
  return { hold: { ...none, ...hold }, ttl: undefined, timeoutResolve: 2_000, ...rules };
}
