import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from '../../src/registry/stores/sqlite.ts';
import { Tables } from '../../src/registry/tables.ts';
import { putQuery, queryRequest } from '../helpers/query-rows.ts';
import { CAUSE, deleteNode, deleteSession, putNode, putSession } from '../helpers/registry-rows.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-store-queries-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the file gives back every field of a prepared query', async () => {
  const more = {
    name: 'Near "Web"',
    session: 's1',
    onlyPassing: true,
    ignoreCheckIds: ['c'],
    tags: ['v1', '!v2'],
    nodeMeta: { rack: '1' },
    serviceMeta: {},
    near: '_agent',
    failover: { nearestN: 2, datacenters: ['dc2'] },
    ttl: '1.5s',
    ttlMs: 1_500,
  };
  const file = join(folder, 'registry.db');
  const store = openSqliteStore(file);
  await store.load();
  const index = await store.commit([putNode('n1'), putSession('s1', 'n1'), putQuery('q1', more)], CAUSE);
  await store.close();
  const again = openSqliteStore(file);
  const { queries } = await again.load();
  await again.close();
  expect(queries).toEqual([{ ...queryRequest(more), id: 'q1', createIndex: index, modifyIndex: index }]);
});

test('the file holds after any commits the prepared queries that the tables hold', async () => {
  const id = fc.constantFrom('q1', 'q2', 'q3');
  const session = fc.constantFrom('', 's1', 's2');
  const change = fc.oneof(
    fc.constantFrom(putNode('n1'), putNode('n2'), deleteNode('n1'), deleteNode('n2')),
    fc.constantFrom(putSession('s1', 'n1'), putSession('s2', 'n2'), deleteSession('s1')),
    fc
      .tuple(id, session, fc.constantFrom('web', 'api'))
      .map(([q, s, service]) => putQuery(q, { session: s, service })),
    id.map((q) => ({ op: 'delete-query', id: q }) as const),
  );
  let run = 0;
  const commits = fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(commits, async (all) => {
      run++;
      const file = join(folder, `${run}.db`);
      const store = openSqliteStore(file);
      await store.load();
      const tables = new Tables();
      for (const changes of all) {
        const index = await store.commit(changes, CAUSE);
        for (const each of changes) tables.apply(each, index);
      }
      await store.close();
      const again = openSqliteStore(file);
      const { queries } = await again.load();
      await again.close();
      expect(queries).toEqual(tables.rows().queries);
    }),
    { numRuns: 30 },
  );
});
