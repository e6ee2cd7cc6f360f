import type { ServerSnapshot } from '../../src/balance/server.ts';

/** A server that is called `name`; the name is its id too, so that picks read well. Open, of weight 1. */
export function server(name: string, rest: Partial<ServerSnapshot> = {}): ServerSnapshot {
  const where = { address: '10.0.0.1', port: 80 };
  const plain = { weight: 1, tier: 0, rank: 0, backup: false, maxconn: 0, admission: 'open' } as const;
  return { id: name, name, ...where, ...plain, ...rest };
}

/** Uniform numbers in [0, 1), the same ones every time (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
