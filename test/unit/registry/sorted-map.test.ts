import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SortedMap } from '../../../src/registry/sorted-map.ts';

describe('SortedMap', () => {
  test('holds what a map holds, in the order of its keys', () => {
    const key = fc.string({ maxLength: 2 });
    const step = fc.oneof(
      fc.record({ op: fc.constant('set' as const), key, value: fc.integer() }),
      fc.record({ op: fc.constant('delete' as const), key, value: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const sorted = new SortedMap<number>();
        const model = new Map<string, number>();
        for (const { op, key, value } of steps) {
          if (op === 'set') {
            sorted.set(key, value);
            model.set(key, value);
          } else {
            expect(sorted.delete(key)).toBe(model.get(key));
            model.delete(key);
          }
          expect(sorted.get(key)).toBe(model.get(key));
        }
        const inOrder = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
        expect(sorted.values()).toEqual(inOrder);
        expect(sorted.size).toBe(model.size);
      }),
    );
  });

  test('gives the same list until it changes, and leaves lists it gave alone', () => {
    const sorted = new SortedMap<string>();
    sorted.set('b', 'B');
    const before = sorted.values();
    expect(sorted.values()).toBe(before);
    sorted.set('a', 'A');
    expect(before).toEqual(['B']);
    expect(sorted.values()).toEqual(['A', 'B']);
    const both = sorted.values();
    expect(sorted.delete('absent')).toBeUndefined();
    expect(sorted.values()).toBe(both);
  });

  test('gives and takes out what begins with a prefix, and nothing else', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '/', '\uffff'), maxLength: 4 });
    fc.assert(
      fc.property(fc.uniqueArray(word), word, (keys, prefix) => {
        const sorted = new SortedMap<string>();
        for (const key of keys) sorted.set(key, key);
        const all = sorted.values();
        const under = all.filter((key) => key.startsWith(prefix));
        expect(sorted.under(prefix)).toEqual(under);
        expect(sorted.deleteUnder(prefix)).toEqual(under);
        expect(sorted.values()).toEqual(all.filter((key) => !key.startsWith(prefix)));
        expect(under.map((key) => sorted.get(key))).toEqual(under.map(() => undefined));
      }),
    );
  });
});
