/**
 * HAProxy's `slowstart`: a server that joins or is back gets its share of the work little by little, from a small part at
 * once to all of it at the end. It goes in steps, so that the data plane is told of no more changes than are of use.
 */
const STEPS = 20;

/** The part of its share, from 1/20 to 1, that a server may have.
 *
 * @param since when it was let in, clock ms
 * @param time how long it takes to the whole share, ms
 */
export function warmthAt(since: number, time: number, now: number): number {
  if (time <= 0) return 1;
  const steps = Math.floor(((now - since) * STEPS) / time) + 1;
  return Math.min(1, Math.max(1, steps) / STEPS);
}

/** Clock ms at which {@link warmthAt} rises next; undefined: it does not any more. */
export function nextWarmthAt(since: number, time: number, now: number): number | undefined {
  const warmth = warmthAt(since, time, now);
  return warmth >= 1 ? undefined : since + Math.round(warmth * STEPS) * (time / STEPS);
}
