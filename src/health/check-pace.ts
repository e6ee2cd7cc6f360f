import type { CheckConfig } from '../config/runtime/servers.ts';
import type { RiseFall } from './threshold.ts';

/** From the start of one check to that of the next, ms: HAProxy's `inter`, `fastinter` and `downinter`. */
export function checkEvery(
  { inter, fastinter = inter, downinter = inter }: CheckConfig,
  { settled, up }: Pick<RiseFall, 'settled' | 'up'>,
): number {
  if (!settled) return fastinter;
  return up ? inter : downinter;
}

/**
 * How long after one check has ended the next begins, ms.
 * @param random in [0, 1)
 * @param spread percent by which `every` varies
 */
export function pauseAfter(every: number, tookMs: number, spread: number, random: number): number {
  return Math.max(0, every + (every * spread * (2 * random - 1)) / 100 - tookMs);
}
