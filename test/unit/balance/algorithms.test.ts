import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Algorithm, createAlgorithm, eligible } from '../../../src/balance/algorithms.ts';
import { type ServerSnapshot, serverId } from '../../../src/balance/server.ts';
import type { BalanceAlgorithm } from '../../../src/config/runtime/balance.ts';
import { generator, server } from '../../helpers/server-snapshot.ts';

const all = () => true;

/** One server of each weight: a, b, c, … */
function servers(...weights: number[]): ServerSnapshot[] {
  return weights.map((weight, i) => server(String.fromCharCode(97 + i), { weight }));
}

function build(
  config: BalanceAlgorithm,
  set: readonly ServerSnapshot[],
  deps: { random?: () => number; load?: Map<string, number> } = {},
): Algorithm {
  const algorithm = createAlgorithm(config, {
    random: deps.random ?? generator(1),
    now: () => 0,
    load: (id) => deps.load?.get(id) ?? 0,
  });
  algorithm.rebuild(set);
  return algorithm;
}

function picks(algorithm: Algorithm, count: number, accept: (s: ServerSnapshot) => boolean = all): string[] {
  return Array.from({ length: count }, () => algorithm.pick(accept)?.id ?? '-');
}

function counts(ids: readonly string[]): Record<string, number> {
  const result: Record<string, number> = {};
  for (const id of ids) result[id] = (result[id] ?? 0) + 1;
  return result;
}

/** The longest run of one server in a row. */
function longestRun(ids: readonly string[]): number {
  let longest = 0;
  let run = 0;
  ids.forEach((id, i) => {
    run = id === ids[i - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  });
  return longest;
}

describe('eligible', () => {
  test.each<[string, ServerSnapshot[], string[]]>([
    ['all that are open', servers(1, 2), ['a', 'b']],
    ['no draining ones', [server('a', { weight: 1, admission: 'draining' }), server('b')], ['b']],
    ['none of weight 0', servers(0, 1), ['b']],
    [
      'the lowest tier only',
      [server('a', { weight: 1, tier: 20 }), server('b', { weight: 1, tier: 10 })],
      ['b'],
    ],
    [
      'the next tier when the lowest one has nobody open',
      [
        server('a', { weight: 1, tier: 1, admission: 'draining' }),
        server('b', { weight: 0, tier: 2 }),
        server('c', { weight: 1, tier: 3 }),
      ],
      ['c'],
    ],
    [
      'no backup while another server is open',
      [server('a', { weight: 1, backup: true }), server('b', { weight: 1, tier: 9 })],
      ['b'],
    ],
    [
      'the first backup once no other server is open',
      [
        server('a', { weight: 0 }),
        server('b', { weight: 1, backup: true }),
        server('c', { weight: 1, backup: true }),
      ],
      ['b'],
    ],
    [
      'the lowest tier of the backups',
      [server('a', { weight: 1, backup: true, tier: 2 }), server('b', { weight: 1, backup: true, tier: 1 })],
      ['b'],
    ],
    ['nobody', [server('a', { weight: 0 }), server('b', { weight: 1, admission: 'draining' })], []],
  ])('%s', (_, set, ids) => {
    expect(eligible(set).map((s) => s.id)).toEqual(ids);
  });

  test('with allbackups, all backups of the lowest tier that has one', () => {
    const set = [
      server('a', { weight: 1, backup: true, tier: 2 }),
      server('b', { weight: 1, backup: true, tier: 1 }),
      server('c', { weight: 1, backup: true, tier: 1 }),
    ];
    expect(eligible(set, true).map((s) => s.id)).toEqual(['b', 'c']);
  });
});

test('the identity of a server is its address and port', () => {
  expect(serverId('10.0.0.1', 80)).toBe('10.0.0.1:80');
  expect(serverId('::1', 80)).toBe('[::1]:80');
});

describe('roundrobin', () => {
  const roundrobin = { kind: 'roundrobin' } as const;

  test.each<[number[], string]>([
    [[1, 1, 1], 'abcabc'],
    [[5, 1, 1], 'abaacaaabaacaa'],
    [[2, 1], 'abaaba'],
    [[1, 2], 'babbab'],
    [[7], 'aaa'],
  ])('weights %j give %s', (weights, sequence) => {
    expect(picks(build(roundrobin, servers(...weights)), sequence.length).join('')).toBe(sequence);
  });

  test('a server that is not accepted is passed over', () => {
    const algorithm = build(roundrobin, servers(1, 1, 1));
    expect(picks(algorithm, 4, (s) => s.id !== 'b').join('')).toBe('acac');
    expect(algorithm.pick(() => false)).toBeUndefined();
  });

  test('a server joins without starting the round anew, and gets no more than its share', () => {
    const algorithm = build(roundrobin, servers(1, 1, 1));
    expect(picks(algorithm, 2).join('')).toBe('ab');
    algorithm.rebuild(servers(1, 1, 1, 1));
    // c was next and stays next.
    expect(picks(algorithm, 8).join('')).toBe('cdabcdab');
  });

  test('a server leaves without starting the round anew', () => {
    const algorithm = build(roundrobin, servers(1, 1, 1, 1));
    expect(picks(algorithm, 2).join('')).toBe('ab');
    algorithm.rebuild(servers(1, 1, 1, 1).filter((s) => s.id !== 'a'));
    expect(picks(algorithm, 6).join('')).toBe('cdbcdb');
  });

  test('rebuilding with the same servers changes nothing', () => {
    const undisturbed = picks(build(roundrobin, servers(5, 3, 2)), 30);
    const algorithm = build(roundrobin, servers(5, 3, 2));
    const disturbed = Array.from({ length: 30 }, () => {
      algorithm.rebuild(servers(5, 3, 2));
      return algorithm.pick(all)?.id;
    });
    expect(disturbed).toEqual(undisturbed);
  });

  test.each<[string, number[], number[]]>([
    ['falls', [16_776_960, 1, 1], [1, 1, 1]],
    ['rises', [1, 1, 1], [16_776_960, 16_776_960, 16_776_960]],
  ])('nobody is starved or flooded when a weight %s', (_, before, after) => {
    const algorithm = build(roundrobin, servers(...before));
    picks(algorithm, 1000);
    algorithm.rebuild(servers(...after));
    const next = picks(algorithm, 60);
    for (const count of Object.values(counts(next))) expect(Math.abs(count - 20)).toBeLessThanOrEqual(2);
    expect(longestRun(next)).toBeLessThanOrEqual(2);
  });

  test('the light ones share evenly as soon as a heavy one is full', () => {
    const algorithm = build(roundrobin, servers(100, 1, 1));
    // Past the first light one's turn and short of the other's.
    picks(algorithm, 40);
    expect(longestRun(picks(algorithm, 20, (s) => s.id !== 'a'))).toBeLessThanOrEqual(2);
  });

  test('refused at random, servers get between the share of the rest that is theirs and that of their weight: what they are owed they keep', () => {
    const weights = [10, 7, 3, 1];
    const random = generator(7);
    const algorithm = build(roundrobin, servers(...weights));
    const got = new Map<string, number>();
    const fair = new Map<string, number>();
    for (let i = 0; i < 50_000; i++) {
      const allowed = servers(...weights).filter(() => random() < 0.8);
      const sum = allowed.reduce((total, s) => total + s.weight, 0);
      for (const s of allowed) fair.set(s.id, (fair.get(s.id) ?? 0) + s.weight / sum);
      const picked = algorithm.pick((s) => allowed.some((other) => other.id === s.id));
      if (picked) got.set(picked.id, (got.get(picked.id) ?? 0) + 1);
    }
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const { id, weight } of servers(...weights)) {
      const [ofRest, ofAll] = [fair.get(id) ?? 0, (50_000 * weight) / sum];
      expect(got.get(id)).toBeGreaterThan(Math.min(ofRest, ofAll) * 0.97);
      expect(got.get(id)).toBeLessThan(Math.max(ofRest, ofAll) * 1.03);
    }
  });

  test('whole cycles meet the weights exactly, and nobody waits for twice its distance', () => {
    const weight = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 60 }));
    fc.assert(
      fc.property(
        fc.array(weight, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 4 }),
        (weights, cycles) => {
          const set = servers(...weights);
          const sum = weights.reduce((a, b) => a + b, 0);
          const sequence = picks(build(roundrobin, set), sum * cycles);
          for (const { id, weight } of set) {
            for (let cycle = 0; cycle < cycles; cycle++) {
              const turns = sequence.slice(cycle * sum, (cycle + 1) * sum).filter((picked) => picked === id);
              expect(turns).toHaveLength(weight);
            }
            const at = sequence.flatMap((picked, i) => (picked === id ? [i] : []));
            const gaps = at.slice(1).map((position, i) => position - (at[i] ?? 0));
            expect(Math.max(0, ...gaps)).toBeLessThan((2 * sum) / weight);
          }
        },
      ),
    );
  });

  test('with any weights nobody is ever a whole turn off its share', () => {
    const weight = fc.oneof(
      fc.integer({ min: 1, max: 65_535 * 256 }),
      fc.double({ min: 0.01, max: 300, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 12 }), (weights) => {
        const set = servers(...weights);
        const sum = weights.reduce((a, b) => a + b, 0);
        const algorithm = build(roundrobin, set);
        const got = new Map(set.map((s) => [s.id, 0]));
        for (let turn = 1; turn <= 300; turn++) {
          const id = algorithm.pick(all)?.id ?? '-';
          got.set(id, (got.get(id) ?? 0) + 1);
          for (const s of set) {
            expect(Math.abs((got.get(s.id) ?? 0) - (turn * s.weight) / sum)).toBeLessThan(1 + 1e-6);
          }
        }
      }),
    );
  });
});

describe('leastconn', () => {
  const leastconn = { kind: 'leastconn' } as const;

  test.each<[string, number[], number[], string]>([
    ['the least loaded one', [1, 1, 1], [2, 1, 3], 'b'],
    ['the least loaded one for its weight', [1, 4], [1, 3], 'b'],
    ['an idle one before a heavy one at work', [1, 100], [0, 1], 'a'],
  ])('takes %s', (_, weights, loads, picked) => {
    const set = servers(...weights);
    const load = new Map(set.map((s, i) => [s.id, loads[i] ?? 0]));
    expect(picks(build(leastconn, set, { load }), 3)).toEqual([picked, picked, picked]);
  });

  test('those that are level take turns, by weight', () => {
    const load = new Map([['c', 1]]);
    expect(picks(build(leastconn, servers(1, 1, 1), { load }), 4).join('')).toBe('abab');
    expect(counts(picks(build(leastconn, servers(3, 1), {}), 40))).toEqual({ a: 30, b: 10 });
  });

  test('work that stays spreads by weight', () => {
    const load = new Map<string, number>();
    const algorithm = build(leastconn, servers(4, 2, 1), { load });
    for (let i = 0; i < 70; i++) {
      const id = algorithm.pick(all)?.id ?? '-';
      load.set(id, (load.get(id) ?? 0) + 1);
      algorithm.loadChanged?.(id);
    }
    expect(Object.fromEntries(load)).toEqual({ a: 40, b: 20, c: 10 });
  });
});

describe('random', () => {
  test('one draw goes by weight', () => {
    const algorithm = build({ kind: 'random', draws: 1 }, servers(6, 3, 1));
    const share = counts(picks(algorithm, 10_000));
    expect(share.a).toBeGreaterThan(5_700);
    expect(share.a).toBeLessThan(6_300);
    expect(share.c).toBeGreaterThan(850);
    expect(share.c).toBeLessThan(1_150);
  });

  test.each([
    [0, 'a'],
    [0.0999, 'a'],
    [0.1, 'b'],
    [0.2999, 'b'],
    [0.3, 'c'],
    [1 - 2 ** -53, 'c'],
  ])('a draw of %d among weights 1, 2 and 7 hits %s', (drawn, hit) => {
    const algorithm = build({ kind: 'random', draws: 1 }, servers(1, 2, 7), { random: () => drawn });
    expect(algorithm.pick(all)?.id).toBe(hit);
  });

  test('takes the least loaded for its weight of those drawn', () => {
    const drawn = [0.1, 0.5, 0.9];
    const load = new Map(Object.entries({ a: 3, b: 1, c: 2 }));
    const random = () => drawn.shift() ?? 0;
    expect(build({ kind: 'random', draws: 3 }, servers(1, 1, 1), { random, load }).pick(all)?.id).toBe('b');
  });

  test('when no draw hits one that is accepted, those get it by weight', () => {
    const algorithm = build({ kind: 'random', draws: 1 }, servers(1_000_000, 1, 3));
    const share = counts(picks(algorithm, 4_000, (s) => s.id !== 'a'));
    expect(Object.keys(share).sort()).toEqual(['b', 'c']);
    expect(share.b).toBeGreaterThan(850);
    expect(share.b).toBeLessThan(1_150);
  });
});

test('every algorithm picks an accepted server whenever there is one, whatever happens in between', () => {
  const config = fc.oneof(
    fc.constant<BalanceAlgorithm>({ kind: 'roundrobin' }),
    fc.constant<BalanceAlgorithm>({ kind: 'leastconn' }),
    fc.constant<BalanceAlgorithm>({ kind: 'first' }),
    fc.constant<BalanceAlgorithm>({ kind: 'peak-ewma' }),
    fc
      .record({
        type: fc.constantFrom('map-based', 'consistent'),
        function: fc.constant('sdbm' as const),
        avalanche: fc.boolean(),
        key: fc.constantFrom('id', 'addr', 'addr-port'),
        balanceFactor: fc.constantFrom(0, 125),
      })
      .map((hash): BalanceAlgorithm => ({ kind: 'hash', by: { kind: 'source' }, hash })),
    fc.integer({ min: 1, max: 4 }).map((draws): BalanceAlgorithm => ({ kind: 'random', draws })),
  );
  const weights = fc.uniqueArray(
    fc.tuple(
      fc.constantFrom(...'abcdefgh'),
      fc.oneof(fc.integer({ min: 1, max: 65_535 * 256 }), fc.constantFrom(1, 0.001, 2.5)),
    ),
    { selector: ([name]) => name, maxLength: 8 },
  );
  const loads = fc.dictionary(fc.constantFrom(...'abcdefgh'), fc.nat({ max: 5 }));
  const steps = fc.array(
    fc.tuple(
      fc.option(weights),
      loads,
      fc.subarray([...'abcdefgh']),
      fc.option(fc.nat({ max: 2 ** 32 - 1 }), { nil: undefined }),
    ),
    {
      maxLength: 60,
    },
  );
  fc.assert(
    fc.property(config, weights, steps, fc.integer(), (config, first, steps, seed) => {
      const load = new Map<string, number>();
      let set = first.map(([name, weight]) => server(name, { weight }));
      const algorithm = build(config, set, { random: generator(seed), load });
      for (const [change, loads, accepted, key] of steps) {
        if (change) {
          set = change.map(([name, weight]) => server(name, { weight }));
          algorithm.rebuild(set);
        }
        for (const [id, value] of Object.entries(loads)) {
          load.set(id, value);
          algorithm.loadChanged?.(id);
        }
        const allowed = set.filter((s) => accepted.includes(s.id));
        const picked = algorithm.pick((s) => accepted.includes(s.id), key);
        if (allowed.length === 0) expect(picked).toBeUndefined();
        else expect(allowed).toContain(picked);
      }
    }),
  );
});
