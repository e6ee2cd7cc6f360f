import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HashRing, type RingMember } from '../../../src/balance/algorithms/hash-ring.ts';

/** Sets of members, one after the other: their numbers of points, by identity. */
const histories = fc.array(
  fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.integer({ min: 1, max: 40 })),
  { minLength: 1, maxLength: 12 },
);

function membersOf(points: Readonly<Record<string, number>>): readonly RingMember[] {
  return Object.entries(points).map(([identity, many]) => ({ identity, points: many }));
}

/** Whose each place is. */
function owners(ring: HashRing, members: readonly RingMember[]): readonly (string | undefined)[] {
  return Array.from({ length: ring.size }, (_, place) => members[ring.ownerAt(place)]?.identity);
}

test('a ring is the same whatever it was before, and in whatever order its members are told', () => {
  fc.assert(
    fc.property(histories, fc.array(fc.nat(2 ** 32 - 1)), (history, keys) => {
      const ring = new HashRing();
      for (const [i, points] of history.entries()) {
        const members = i % 2 === 0 ? membersOf(points) : membersOf(points).toReversed();
        ring.set(members);
        const fresh = new HashRing();
        fresh.set(membersOf(points));
        expect(ring.size).toBe(members.reduce((sum, { points: many }) => sum + many, 0));
        expect(owners(ring, members)).toEqual(owners(fresh, membersOf(points)));
        for (const key of keys) expect(ring.placeOf(key)).toBe(fresh.placeOf(key));
      }
    }),
  );
});

test('members whose points have one hash stand by their identity, whoever came first', () => {
  // By FNV-1a they are the same.
  const twins = ['costarring', 'liquid'].map((identity) => ({ identity, points: 5 }));
  const one = new HashRing();
  one.set(twins);
  const other = new HashRing();
  other.set(twins.slice(1));
  other.set(twins);
  expect(owners(one, twins)).toEqual(Array.from({ length: 5 }, () => ['costarring', 'liquid']).flat());
  expect(owners(other, twins)).toEqual(owners(one, twins));
  other.set(twins.slice(0, 1));
  expect(owners(other, twins)).toEqual(Array(5).fill('costarring'));
});

test('nobody is there: a key is nobody’s', () => {
  const ring = new HashRing();
  ring.set([{ identity: 'a', points: 3 }]);
  ring.set([]);
  expect([ring.size, ring.placeOf(7), ring.ownerAt(0)]).toEqual([0, 0, -1]);
});
