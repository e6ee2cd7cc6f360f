import { compareEndpoints, type DiscoveredSet } from './discovered-set.ts';
import type { Endpoint } from './resolution.ts';

/** How one set differs from another. */
export interface SetDifference {
  /** Of the later set: new, or not as they were. */
  readonly said: readonly Endpoint[];
  /** Of the earlier set: not as they are, or not there any more. */
  readonly unsaid: readonly Endpoint[];
}

/** Worked out once for all who follow a name, however many they are. */
const KNOWN = new WeakMap<DiscoveredSet, { readonly before: DiscoveredSet; readonly is: SetDifference }>();

/** Of two sets as `discoveredSet` makes them. */
export function setDifference(before: DiscoveredSet, after: DiscoveredSet): SetDifference {
  const known = KNOWN.get(after);
  if (known?.before === before) return known.is;
  const is = difference(before.endpoints, after.endpoints);
  KNOWN.set(after, { before, is });
  return is;
}

/** Both are in order, so that they can be walked through side by side. */
function difference(before: readonly Endpoint[], after: readonly Endpoint[]): SetDifference {
  const said: Endpoint[] = [];
  const unsaid: Endpoint[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const old = before[i];
    const now = after[j];
    if (!old && !now) return { said, unsaid };
    const order = !old || !now ? Number(!old) - Number(!now) : old === now ? 0 : compareEndpoints(old, now);
    if (order <= 0) i++;
    if (order >= 0) j++;
    if (order < 0 && old) unsaid.push(old);
    if (order > 0 && now) said.push(now);
  }
}
