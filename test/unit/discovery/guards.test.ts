import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MaxRemoval } from '../../../src/config/runtime/servers.ts';
import { type DiscoveredSet, discoveredSet, idOf } from '../../../src/discovery/discovered-set.ts';
import { type GuardRules, guard, NO_MEMORY } from '../../../src/discovery/guards.ts';
import type { Endpoint } from '../../../src/discovery/resolution.ts';
import { endpoint } from './scripted-resolver.ts';

const nobodyIsDown = () => false;

function setOf(...servers: readonly number[]): DiscoveredSet {
  return discoveredSet({ endpoints: servers.map((n) => endpoint(`10.0.0.${n}`)), excluded: [] });
}

function numbers({ endpoints }: Pick<DiscoveredSet, 'endpoints'>): readonly number[] {
  return endpoints.map(({ address }) => Number(address.split('.')[3]));
}

/** A name whose answers go through the guards one after another. */
class Guarded {
  set: DiscoveredSet | undefined;
  until: number | undefined;
  held: readonly Endpoint[] = [];
  kept = false;
  readonly #rules: GuardRules;
  #memory = NO_MEMORY;

  constructor(rules: Partial<GuardRules>) {
    this.#rules = { onEmpty: 'drain', ...rules };
  }

  answer(now: number, answer: DiscoveredSet, isDown: (endpoint: Endpoint) => boolean = nobodyIsDown) {
    const { memory, ...rest } = guard(this.#rules, this.#memory, this.set, answer, isDown, now);
    this.#memory = memory;
    Object.assign(this, rest);
    return numbers(rest.set);
  }
}

describe('on-empty', () => {
  test('drain takes an empty answer at its word, keep never does', () => {
    const drain = new Guarded({});
    drain.answer(0, setOf(1, 2));
    expect(drain.answer(1, setOf())).toEqual([]);
    const keep = new Guarded({ onEmpty: 'keep' });
    keep.answer(0, setOf(1, 2));
    expect(keep.answer(1e12, setOf())).toEqual([1, 2]);
    expect(keep).toMatchObject({ kept: true, until: undefined });
    expect(keep.answer(1e12, setOf(3))).toEqual([3]);
    expect(keep.kept).toBe(false);
  });

  test('keep-for holds the last set for its time, from the first empty answer on', () => {
    const guarded = new Guarded({ onEmpty: { keepFor: 1_000 } });
    guarded.answer(0, setOf(1, 2));
    expect(guarded.answer(500, setOf())).toEqual([1, 2]);
    expect(guarded.until).toBe(1_500);
    expect(guarded.answer(1_499, setOf())).toEqual([1, 2]);
    expect(guarded.answer(1_500, setOf())).toEqual([]);
    expect(guarded.kept).toBe(false);
  });

  test('keep-for begins anew after an answer with servers', () => {
    const guarded = new Guarded({ onEmpty: { keepFor: 1_000 } });
    guarded.answer(0, setOf(1));
    guarded.answer(100, setOf());
    guarded.answer(900, setOf(2));
    expect(guarded.answer(1_200, setOf())).toEqual([2]);
    expect(guarded.answer(2_199, setOf())).toEqual([2]);
    expect(guarded.answer(2_200, setOf())).toEqual([]);
  });

  test('the first answer may be empty: there is nothing to keep', () => {
    expect(new Guarded({ onEmpty: 'keep' }).answer(0, setOf())).toEqual([]);
  });
});

describe('max-removal', () => {
  const half: MaxRemoval = { amount: { percent: 50 }, per: 10_000 };

  test('lets its part go now and the rest in the following intervals, the same ones whatever the order', () => {
    const guarded = new Guarded({ maxRemoval: half });
    guarded.answer(0, setOf(4, 2, 3, 1));
    expect(guarded.answer(1_000, setOf())).toEqual([3, 4]);
    expect(guarded.held.map(idOf)).toEqual(['10.0.0.3:80', '10.0.0.4:80']);
    expect(guarded.until).toBe(11_000);
    expect(guarded.answer(10_999, setOf())).toEqual([3, 4]);
    expect(guarded.answer(11_000, setOf())).toEqual([4]);
    expect(guarded.answer(20_999, setOf())).toEqual([4]);
    expect(guarded.answer(21_000, setOf())).toEqual([]);
    expect(guarded).toMatchObject({ held: [], until: undefined });
  });

  test('a full replacement by as many new servers is no outage', () => {
    const guarded = new Guarded({ maxRemoval: half });
    guarded.answer(0, setOf(1, 2, 3, 4));
    expect(guarded.answer(1, setOf(5, 6, 7, 8))).toEqual([5, 6, 7, 8]);
    expect(guarded.answer(2, setOf(9, 10))).toEqual([10, 9]);
    expect(guarded.answer(3, setOf(11))).toEqual([11, 9]);
  });

  test('servers that are down go first, for they are no loss', () => {
    const guarded = new Guarded({ maxRemoval: half });
    guarded.answer(0, setOf(1, 2, 3, 4));
    const down = ({ address }: Endpoint) => address === '10.0.0.3' || address === '10.0.0.4';
    expect(guarded.answer(1, setOf(), down)).toEqual([1, 2]);
  });

  test('what the answer itself says not to use is not held', () => {
    const guarded = new Guarded({ maxRemoval: { amount: { count: 1 }, per: 10_000 } });
    guarded.answer(0, setOf(1, 2, 3));
    const { endpoints } = setOf(1, 2, 3);
    const excluded = endpoints.map((one) => ({ ...one, why: 'critical: disk full' }));
    expect(guarded.answer(1, discoveredSet({ endpoints: [], excluded }))).toEqual([]);
  });

  test('a server that comes back while it is held is as it was', () => {
    const guarded = new Guarded({ maxRemoval: half });
    guarded.answer(0, setOf(1, 2, 3, 4));
    guarded.answer(1, setOf(1));
    expect(guarded.held).toHaveLength(1);
    expect(guarded.answer(2, setOf(1, 2, 3, 4))).toEqual([1, 2, 3, 4]);
    expect(guarded.held).toEqual([]);
  });
});

const rules = fc.record({
  amount: fc.oneof(
    fc.record({ percent: fc.integer({ min: 1, max: 100 }) }),
    fc.record({ count: fc.integer({ min: 1, max: 8 }) }),
  ),
  per: fc.integer({ min: 1, max: 5_000 }),
});
const servers = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 12 });
const answers = fc.array(fc.tuple(fc.integer({ min: 0, max: 2_000 }), servers), {
  minLength: 1,
  maxLength: 40,
});

test('no sequence of answers leaves fewer servers than were there within the time, less what may go', () => {
  fc.assert(
    fc.property(rules, answers, (maxRemoval, sequence) => {
      const guarded = new Guarded({ maxRemoval });
      /** How many servers were in force, from when until when. */
      const past: { from: number; to: number; count: number }[] = [];
      let now = 0;
      for (const [wait, said] of sequence) {
        now += wait;
        const last = past.at(-1);
        if (last) last.to = now;
        const count = guarded.answer(now, setOf(...said)).length;
        const most = Math.max(0, ...past.filter(({ to }) => to + maxRemoval.per > now).map((p) => p.count));
        const { amount } = maxRemoval;
        const mayGo =
          'count' in amount ? amount.count : Math.max(1, Math.floor((most * amount.percent) / 100));
        expect(count).toBeGreaterThanOrEqual(most - mayGo);
        past.push({ from: now, to: now, count });
      }
    }),
    { numRuns: 500 },
  );
});

test('nothing is in force that neither the answer nor the set before has, and nothing of the answer is missing', () => {
  fc.assert(
    fc.property(rules, answers, fc.func(fc.boolean()), (maxRemoval, sequence, isDown) => {
      const guarded = new Guarded({ maxRemoval });
      let before: readonly number[] = [];
      let now = 0;
      for (const [wait, said] of sequence) {
        now += wait;
        const after = guarded.answer(now, setOf(...said), (one) => isDown(one.address));
        for (const n of said) expect(after).toContain(n);
        for (const n of after) expect(said.includes(n) || before.includes(n)).toBe(true);
        expect(numbers({ endpoints: guarded.held })).toEqual(
          after.filter((n) => !said.includes(n)).sort(byName),
        );
        before = after;
      }
    }),
  );
});

test('whatever came before, an answer that stays is in force in the end, if one asks when told to', () => {
  fc.assert(
    fc.property(rules, answers, servers, (maxRemoval, sequence, said) => {
      const guarded = new Guarded({ maxRemoval, onEmpty: { keepFor: 3_000 } });
      let now = 0;
      for (const [wait, answer] of sequence) {
        now += wait;
        guarded.answer(now, setOf(...answer));
      }
      for (let i = 0; i < 60; i++) {
        guarded.answer(now, setOf(...said));
        if (guarded.until === undefined) break;
        expect(guarded.until).toBeGreaterThan(now);
        now = guarded.until;
      }
      expect(guarded.until).toBeUndefined();
      expect(numbers(guarded.set ?? setOf())).toEqual(numbers(setOf(...said)));
    }),
  );
});

function byName(a: number, b: number): number {
  return `10.0.0.${a}:80` < `10.0.0.${b}:80` ? -1 : 1;
}
