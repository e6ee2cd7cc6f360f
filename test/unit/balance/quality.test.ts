import { describe, expect, test } from 'vitest';
import { type Algorithm, createAlgorithm } from '../../../src/balance/algorithms.ts';
import { hashText } from '../../../src/balance/hash.ts';
import type { ServerSnapshot } from '../../../src/balance/server.ts';
import type { BalanceAlgorithm } from '../../../src/config/runtime/balance.ts';
import { generator, server } from '../../helpers/server-snapshot.ts';

const all = () => true;
const CONSISTENT: BalanceAlgorithm = {
  kind: 'hash',
  by: { kind: 'source' },
  hash: { type: 'consistent', function: 'sdbm', avalanche: true, key: 'id', balanceFactor: 0 },
};

function build(
  config: BalanceAlgorithm,
  set: readonly ServerSnapshot[],
  load?: Map<string, number>,
): Algorithm {
  const algorithm = createAlgorithm(config, {
    random: generator(11),
    now: () => 0,
    load: (id) => load?.get(id) ?? 0,
  });
  algorithm.rebuild(set);
  return algorithm;
}

describe('weights are met within 1 % over a million picks', () => {
  const set = [1, 1, 2, 3, 5, 8, 20, 60].map((weight, i) => server(`s${i}`, { weight }));
  const sum = set.reduce((total, { weight }) => total + weight, 0);

  test.each<[string, BalanceAlgorithm]>([
    ['roundrobin', { kind: 'roundrobin' }],
    ['leastconn without load', { kind: 'leastconn' }],
    ['random', { kind: 'random', draws: 1 }],
    [
      'map-based hashes',
      { ...CONSISTENT, hash: { ...CONSISTENT.hash, type: 'map-based' } } as BalanceAlgorithm,
    ],
  ])('%s', (_, config) => {
    const algorithm = build(config, set);
    const random = generator(5);
    const picks = new Map(set.map(({ id }) => [id, 0]));
    for (let i = 0; i < 1e6; i++) {
      const key = config.kind === 'hash' ? Math.floor(random() * 2 ** 32) : undefined;
      const id = algorithm.pick(all, key)?.id ?? '';
      picks.set(id, (picks.get(id) ?? 0) + 1);
    }
    for (const { id, weight } of set) {
      const off = Math.abs((picks.get(id) ?? 0) / 1e6 - weight / sum);
      // Of the whole, and for the draws of the light ones three standard deviations more.
      expect(off).toBeLessThan(0.01 * (weight / sum) + 3 * Math.sqrt(weight / sum / 1e6));
    }
  });
});

describe('consistent hashing', () => {
  const keys = Array.from({ length: 100_000 }, (_, i) => hashText(`client-${i}`, 'sdbm', true));
  const set = Array.from({ length: 20 }, (_, i) => server(`web-${i}`));
  const owners = (algorithm: Algorithm) => keys.map((key) => algorithm.pick(all, key)?.id);
  const moved = (a: readonly unknown[], b: readonly unknown[]) =>
    a.filter((owner, i) => owner !== b[i]).length / keys.length;

  test('a server that leaves moves its own keys only, and gets them back when it returns', () => {
    const algorithm = build(CONSISTENT, set);
    const before = owners(algorithm);
    algorithm.rebuild(set.filter(({ id }) => id !== 'web-7'));
    const without = owners(algorithm);
    for (const [i, owner] of before.entries()) {
      if (owner !== 'web-7') expect(without[i]).toBe(owner);
    }
    expect(moved(before, without)).toBeLessThan(1 / 20 + 0.02);
    algorithm.rebuild([...set].reverse());
    expect(owners(algorithm)).toEqual(before);
  });

  test('a server that joins takes no more than 1/n + 2 % of the keys, all to itself', () => {
    const algorithm = build(CONSISTENT, set);
    const before = owners(algorithm);
    algorithm.rebuild([...set, server('web-new')]);
    const after = owners(algorithm);
    expect(moved(before, after)).toBeLessThan(1 / 21 + 0.02);
    for (const [i, owner] of after.entries()) if (owner !== before[i]) expect(owner).toBe('web-new');
  });

  test('an instance that returns at another address has its keys again when it is known by its name', () => {
    const algorithm = build(CONSISTENT, set);
    const before = keys.map((key) => algorithm.pick(all, key)?.name);
    algorithm.rebuild(
      set.map((one, i) => (i === 3 ? { ...one, id: '10.0.9.9:1', address: '10.0.9.9' } : one)),
    );
    expect(keys.map((key) => algorithm.pick(all, key)?.name)).toEqual(before);
  });

  test('a change of weight moves keys from or to that server only', () => {
    const algorithm = build(CONSISTENT, set);
    const before = owners(algorithm);
    algorithm.rebuild(set.map((one, i) => (i === 3 ? { ...one, weight: 2 } : one)));
    const after = owners(algorithm);
    for (const [i, owner] of after.entries()) if (owner !== before[i]) expect(owner).toBe('web-3');
    expect(after.filter((owner) => owner === 'web-3').length / keys.length).toBeGreaterThan(0.07);
  });

  test('shares are near the weights', () => {
    const got = new Map<unknown, number>();
    for (const owner of owners(build(CONSISTENT, set))) got.set(owner, (got.get(owner) ?? 0) + 1);
    for (const { id } of set) expect(Math.abs((got.get(id) ?? 0) / keys.length - 0.05)).toBeLessThan(0.02);
  });

  test.each([
    { weights: [50, 200] },
    { weights: [100, 100, 256] },
    { weights: [1_000, 3_000] },
    { weights: [65_535 * 256, 65_535 * 64] },
  ])('so are those of $weights', ({ weights }) => {
    const heavy = weights.map((weight, i) => server(`web-${i}`, { weight }));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const got = new Map<unknown, number>();
    for (const owner of owners(build(CONSISTENT, heavy))) got.set(owner, (got.get(owner) ?? 0) + 1);
    for (const { id, weight } of heavy) {
      expect(Math.abs((got.get(id) ?? 0) / keys.length - weight / sum)).toBeLessThan(0.03);
    }
  });

  test('with a balance factor nobody is loaded beyond it, whatever the keys', () => {
    const load = new Map<string, number>();
    const config = { ...CONSISTENT, hash: { ...CONSISTENT.hash, balanceFactor: 125 } } as BalanceAlgorithm;
    const algorithm = build(config, set, load);
    const random = generator(3);
    for (let under = 1; under <= 2_000; under++) {
      // Half of all work has one and the same key.
      const key = random() < 0.5 ? 42 : Math.floor(random() * 2 ** 32);
      const id = algorithm.pick(all, key)?.id ?? '';
      load.set(id, (load.get(id) ?? 0) + 1);
      algorithm.loadChanged?.(id);
      for (const value of load.values()) expect(value).toBeLessThanOrEqual(Math.ceil((under / 20) * 1.25));
    }
  });
});

describe('one slow server among ten', () => {
  /** Answers of 10 ms, of 1 s from the slow one; a request every millisecond, one at a time per server slot. */
  function p99(config: BalanceAlgorithm): number {
    const set = Array.from({ length: 10 }, (_, i) => server(`s${i}`));
    const load = new Map<string, number>();
    let now = 0;
    const algorithm = createAlgorithm(config, {
      random: generator(21),
      now: () => now,
      load: (id) => load.get(id) ?? 0,
    });
    algorithm.rebuild(set);
    const change = (id: string, by: number) => {
      load.set(id, (load.get(id) ?? 0) + by);
      algorithm.loadChanged?.(id);
    };
    const random = generator(22);
    const took: number[] = [];
    let running: { readonly id: string; readonly since: number; readonly until: number }[] = [];
    for (now = 0; now < 60_000; now++) {
      for (const { id, since, until } of running) {
        if (until > now) continue;
        change(id, -1);
        algorithm.answered?.(id, { now, tookMs: until - since, failed: false });
      }
      running = running.filter(({ until }) => until > now);
      const id = algorithm.pick(all)?.id ?? '';
      const takes = (id === 's0' ? 1_000 : 10) * (0.5 + random());
      change(id, 1);
      running.push({ id, since: now, until: now + takes });
      took.push(takes);
    }
    took.sort((a, b) => a - b);
    return took[Math.floor(took.length * 0.99)] ?? 0;
  }

  test.each<[string, BalanceAlgorithm]>([
    ['leastconn', { kind: 'leastconn' }],
    ['peak-ewma', { kind: 'peak-ewma' }],
  ])('%s has a p99 of at most a fifth of that of roundrobin', (_, config) => {
    expect(p99(config) * 5).toBeLessThan(p99({ kind: 'roundrobin' }));
  });
});
