import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/registry/model.ts';
import type { Query } from '../../../src/registry/reader.ts';
import {
  committing,
  deleteKv,
  deleteKvTree,
  deleteNode,
  deleteSession,
  putCheck,
  putKv,
  putNode,
  putSession,
} from '../../helpers/registry-rows.ts';

const key = (name: string): Query => ({ kind: 'kv', key: name });
const tree = (prefix: string): Query => ({ kind: 'kv-tree', prefix });

describe('the index of a key', () => {
  test('is the one of its last change, and is not moved by others', () => {
    const { catalog, commit } = committing();
    const first = commit(putKv('a', '1'));
    commit(putKv('b', '1'));
    expect(catalog.kv.entry('a')).toMatchObject({ index: first, value: { createIndex: first } });
    const changed = commit(putKv('a', '2'));
    expect(catalog.kv.entry('a')).toMatchObject({
      index: changed,
      value: { createIndex: first, modifyIndex: changed },
    });
    commit(putKv('a', '2'));
    expect(catalog.indexOf(key('a'))).toBe(changed);
  });

  test('is that of the whole store while there is no such key', () => {
    const { catalog, commit } = committing();
    expect(catalog.kv.entry('none')).toEqual({ index: 10, value: undefined });
    commit(putNode('n1'));
    expect(catalog.indexOf(key('none'))).toBe(10);
    const other = commit(putKv('a', '1'));
    expect(catalog.indexOf(key('none'))).toBe(other);
    const gone = commit(deleteKv('a'));
    expect(catalog.kv.entry('a')).toEqual({ index: gone, value: undefined });
  });
});

test('keys are listed in the order of their bytes, by prefixes that may end anywhere in a word', () => {
  const { catalog, commit } = committing();
  const keys = ['a', 'z', 'é', 'éa', 'Ã©', '\uff5e', '\ud83d\ude00'];
  commit(...keys.toReversed().map((each) => putKv(each, '')));
  const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  // Not the order of the characters as JavaScript has it.
  expect(sorted).not.toEqual(keys.toSorted());
  expect(catalog.kv.under('').value.map((entry) => entry.key)).toEqual(sorted);
  expect(catalog.kv.under('é').value.map((entry) => entry.key)).toEqual(['é', 'éa']);
  commit(deleteKvTree('é'), deleteKv('\ud83d\ude00'));
  expect(catalog.kv.under('').value.map((entry) => entry.key)).toEqual(['a', 'z', 'Ã©', '\uff5e']);
});

describe('the index of a prefix', () => {
  test('is the latest of the keys under it', () => {
    const { catalog, commit } = committing();
    commit(putKv('a/1', ''));
    const latest = commit(putKv('a/2', ''));
    commit(putKv('b', ''));
    const found = catalog.kv.under('a/');
    expect(found.index).toBe(latest);
    expect(found.value.map((entry) => entry.key)).toEqual(['a/1', 'a/2']);
    expect(catalog.kv.under('').index).toBe(catalog.index);
  });

  test('rises with a deletion under it, and stays when something else is written', () => {
    const { catalog, commit } = committing();
    commit(putKv('a/1', ''), putKv('a/2', ''), putKv('c/1', ''));
    const gone = commit(deleteKv('a/1'));
    commit(putKv('b', ''));
    expect(catalog.kv.under('a/').index).toBe(gone);
    const all = commit(deleteKvTree('a'));
    const other = commit(putKv('b', '1'));
    expect(catalog.kv.under('a/')).toEqual({ index: all, value: [] });
    expect(catalog.kv.under('never/').index).toBe(other);
  });

  test('never falls below a deletion that is no longer remembered', () => {
    const { catalog, commit } = committing();
    const kept = commit(putKv('kept/1', ''), putKv('kept/2', ''));
    const gone = commit(deleteKv('kept/1'));
    expect(catalog.kv.under('kept/').index).toBe(gone);
    const many = Array.from({ length: 10_001 }, (_, i) => `many/${i}`);
    commit(...many.map((name) => putKv(name, '')));
    const last = commit(...many.map(deleteKv));
    // The client that read before the deletion is told that something happened, if not what.
    expect(catalog.kv.under('kept/').index).toBe(last);
    expect(catalog.kv.entry('kept/2').index).toBe(kept);
    const after = commit(putKv('kept/3', ''));
    expect(catalog.kv.under('kept/').index).toBe(after);
  });

  test('is at least that of the snapshot after a reset, while a key keeps its own', () => {
    const { catalog, commit } = committing();
    const written = commit(putKv('a/1', ''));
    catalog.reset({
      ...{ index: 500, nodes: [], services: [], checks: [], sessions: [], queries: [] },
      kv: catalog.kv.under('').value,
    });
    expect(catalog.indexOf(tree('a/'))).toBe(500);
    expect(catalog.indexOf(key('a/1'))).toBe(written);
    expect(catalog.indexOf(key('none'))).toBe(500);
  });
});

describe('a watcher', () => {
  test('of a prefix that ends leaves nothing behind', () => {
    const { catalog, commit } = committing();
    const woken: string[] = [];
    const first = catalog.watch(tree('a/'), () => woken.push('first'));
    const second = catalog.watch(tree('a/'), () => woken.push('second'));
    first();
    first();
    commit(putKv('a/1', ''));
    second();
    commit(putKv('a/2', ''));
    expect(woken).toEqual(['second']);
    expect(catalog.awaited).toBe(0);
  });

  test('of sessions is woken by those that it asked about', () => {
    const { catalog, commit } = committing();
    commit(putNode('n1'), putNode('n2'), putCheck('n2', 'c'), putKv('k', ''));
    const queries: Record<string, Query> = {
      s1: { kind: 'session', id: 's1' },
      all: { kind: 'sessions' },
      'on N2': { kind: 'node-sessions', node: 'N2' },
      'on n1': { kind: 'node-sessions', node: 'n1' },
      k: key('k'),
    };
    const woken: string[] = [];
    for (const [name, query] of Object.entries(queries)) catalog.watch(query, () => woken.push(name));
    const by = (...changes: Change[]) => {
      const index = commit(...changes);
      expect(catalog.sessions.all().index).toBeLessThanOrEqual(index);
      return woken.splice(0).sort();
    };
    expect(by(putSession('s1', 'n2', { nodeChecks: ['c'] }))).toEqual(['all', 'on N2', 's1']);
    expect(by(putSession('s2', 'n1'))).toEqual(['all', 'on n1']);
    expect(by(putKv('k', '', { session: 's1', lockIndex: 1 }))).toEqual(['k']);
    expect(by(putCheck('n2', 'c', undefined, { status: 'critical' }))).toEqual(['all', 'k', 'on N2', 's1']);
    expect(catalog.sessions.get('s1')).toEqual({ index: catalog.index, value: undefined });
    expect(by(deleteNode('n1'))).toEqual(['all', 'on n1']);
    expect(by(deleteSession('s2'))).toEqual([]);
  });
});

const KEYS = ['', 'a', 'a/b', 'a/b/c', 'ab', 'b'];
const QUERIES = [...KEYS.map(key), ...[...KEYS, 'a/', 'zz'].map(tree)];

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(fc.constantFrom(...KEYS), fc.constantFrom('x', 'y')).map(([k, v]) => putKv(k, v)),
  fc.constantFrom(...KEYS).map(deleteKv),
  fc.constantFrom(...KEYS, 'a/').map(deleteKvTree),
);

test('whatever is written, exactly those are woken who would read something else, and find a higher index', () => {
  const about = (entries: ReadonlyMap<string, string>, query: Query): string => {
    const mine = (name: string) =>
      query.kind === 'kv' ? name === query.key : query.kind === 'kv-tree' && name.startsWith(query.prefix);
    return JSON.stringify([...entries].filter(([name]) => mine(name)).sort());
  };
  fc.assert(
    fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 25 }), (commits) => {
      const { catalog, commit } = committing();
      const woken = new Set<Query>();
      for (const query of QUERIES) catalog.watch(query, () => woken.add(query));
      const entries = new Map<string, string>();
      const reported = new Map(QUERIES.map((query) => [query, catalog.indexOf(query)]));
      for (const changes of commits) {
        woken.clear();
        const expected = new Set<Query>();
        for (const each of changes) {
          const before = QUERIES.map((query) => about(entries, query));
          if (each.op === 'put-kv') entries.set(each.entry.key, Buffer.from(each.entry.value).toString());
          if (each.op === 'delete-kv') entries.delete(each.key);
          if (each.op === 'delete-kv-tree') {
            for (const name of [...entries.keys()]) if (name.startsWith(each.prefix)) entries.delete(name);
          }
          for (const [i, query] of QUERIES.entries()) {
            if (about(entries, query) !== before[i]) expected.add(query);
          }
        }
        const index = commit(...changes);
        expect(woken).toEqual(expected);
        expect(catalog.size).toBe(entries.size);
        expect(catalog.kv.bytes).toBe([...entries].reduce((sum, [k, v]) => sum + k.length + v.length, 0));
        for (const query of QUERIES) {
          const now = catalog.indexOf(query);
          expect(now).toBeGreaterThanOrEqual(query.kind === 'kv-tree' ? (reported.get(query) ?? 0) : 0);
          if (woken.has(query)) expect(now).toBe(index);
          reported.set(query, now);
        }
      }
    }),
    { numRuns: 200 },
  );
});
