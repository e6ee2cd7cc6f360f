import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CheckStatus, PutCheck } from '../../src/registry/model.ts';
import type { RegistryStore } from '../../src/registry/store.ts';
import { createMemoryStore } from '../../src/registry/stores/memory.ts';
import { openSqliteStore } from '../../src/registry/stores/sqlite.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer } from '../helpers/redis-server.ts';
import {
  CAUSE,
  checkRow,
  committing,
  deleteCheck,
  deleteKv,
  deleteKvTree,
  deleteNode,
  deleteService,
  deleteSession,
  putCheck,
  putKv,
  putNode,
  putService,
  putSession,
} from '../helpers/registry-rows.ts';

let folder: string;
let file: string;
const open: RegistryStore[] = [];
let redis: RedisServer;
let prefixes = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-store-kv-'));
  file = join(folder, 'registry.db');
});

afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function sqlite(): RegistryStore {
  const store = openSqliteStore(file);
  open.push(store);
  return store;
}

/** Each starts a store, and a second time finds in it what was there. */
const KINDS = {
  memory: () => {
    const store = createMemoryStore();
    return { start: () => store, restart: async () => store };
  },
  sqlite: () => {
    const first = sqlite();
    return {
      start: () => first,
      restart: async () => {
        await first.close();
        return sqlite();
      },
    };
  },
  redis: () => {
    const prefix = `vane-${prefixes++}`;
    const first = redis.store(prefix);
    open.push(first);
    return {
      start: () => first,
      restart: async () => {
        await first.close();
        const again = redis.store(prefix);
        open.push(again);
        return again;
      },
    };
  },
};

function conformance(kind: (typeof KINDS)[keyof typeof KINDS]): void {
  test('gives back every field of keys and sessions', async () => {
    const { start, restart } = kind();
    const store = start();
    await store.load();
    const first = await store.commit(
      [
        putNode('N1'),
        putCheck('n1', 'C1'),
        putSession('s-1', 'N1', {
          name: 'lock "a"',
          lockDelay: 1.5,
          behavior: 'delete',
          ttl: '1m30s',
          ttlMs: 90_000,
          nodeChecks: ['c1'],
          serviceChecks: [{ id: 'C1', namespace: '' }],
          checks: [],
        }),
        putSession('s-2', 'n1'),
        putKv('a\0b/ü\ud83d\ude00', '', { value: Buffer.from([0, 255, 128, 10]) }),
        putKv('empty', '', { flags: '18446744073709551615', lockIndex: 7, session: 's-1' }),
      ],
      CAUSE,
    );
    const second = await store.commit([putKv('empty', 'now', { session: 's-1' })], CAUSE);
    const { sessions, kv } = await (await restart()).load();
    const indexes = { createIndex: first, modifyIndex: first };
    expect(sessions).toEqual([
      {
        id: 's-1',
        name: 'lock "a"',
        node: 'N1',
        lockDelay: 1.5,
        behavior: 'delete',
        ttl: '1m30s',
        ttlMs: 90_000,
        nodeChecks: ['c1'],
        serviceChecks: [{ id: 'C1', namespace: '' }],
        checks: [],
        ...indexes,
      },
      expect.objectContaining({ id: 's-2', nodeChecks: null, serviceChecks: null, checks: null }),
    ]);
    expect(kv.map((entry) => ({ ...entry, value: [...entry.value] }))).toEqual([
      {
        key: 'a\0b/ü\ud83d\ude00',
        value: [0, 255, 128, 10],
        flags: '0',
        lockIndex: 0,
        session: '',
        ...indexes,
      },
      {
        key: 'empty',
        value: [...Buffer.from('now')],
        flags: '0',
        lockIndex: 0,
        session: 's-1',
        createIndex: first,
        modifyIndex: second,
      },
    ]);
  });

  test('holds after any commits the sessions and keys that the catalog holds that has heard of them', async () => {
    const node = fc.constantFrom('n1', 'N1', 'n2');
    const check = fc.constantFrom('c', 'C', 'd');
    const service = fc.constantFrom('w', 'W');
    const status = fc.constantFrom('passing', 'critical', 'warning');
    const session = fc.constantFrom('s1', 's2', 's3');
    const key = fc.constantFrom('a', 'a/b', 'a/c', 'A', 'b\0');
    const behavior = fc.constantFrom('release' as const, 'delete' as const);
    const change = fc.oneof(
      node.map((n) => putNode(n)),
      fc.tuple(node, service).map(([n, s]) => putService(n, s)),
      fc.tuple(node, check, status).map(([n, c, to]) => putCheck(n, c, undefined, { status: to })),
      fc
        .tuple(node, check, service, status)
        .map(([n, c, s, to]) => putCheck(n, c, { id: s, service: s }, { status: to })),
      node.map(deleteNode),
      fc.tuple(node, service).map(([n, s]) => deleteService(n, s)),
      fc.tuple(node, check).map(([n, c]) => deleteCheck(n, c)),
      {
        weight: 4,
        arbitrary: fc
          .tuple(session, node, fc.array(check, { maxLength: 2 }), behavior)
          .map(([id, n, nodeChecks, how]) => putSession(id, n, { nodeChecks, behavior: how })),
      },
      session.map(deleteSession),
      {
        weight: 4,
        arbitrary: fc
          .tuple(key, fc.constantFrom('', '1'), fc.option(session, { nil: '' }), fc.nat(1))
          .map(([k, value, holder, lockIndex]) => putKv(k, value, { session: holder, lockIndex })),
      },
      key.map(deleteKv),
      fc.constantFrom('a/', 'a', 'b\0', 'zz').map(deleteKvTree),
    );
    const start = [
      putNode('n1'),
      putNode('n2'),
      putCheck('n1', 'c'),
      putService('n1', 'w'),
      putCheck('n1', 'd', { id: 'w', service: 'w' }),
      putSession('s1', 'n1', { nodeChecks: ['d', 'c'] }),
    ];
    const commits = fc
      .array(fc.array(change, { minLength: 1, maxLength: 4 }), { minLength: 5, maxLength: 40 })
      .map((rest) => [start, ...rest]);
    await fc.assert(
      fc.asyncProperty(commits, async (commits) => {
        rmSync(file, { force: true });
        const { start, restart } = kind();
        const store = start();
        await store.load();
        const { catalog } = committing(1);
        store.onCommitted((committed) => catalog.apply(committed));
        await Promise.all(commits.map((changes) => store.commit(changes, CAUSE)));
        const again = await restart();
        const { sessions, kv, checks } = await again.load();
        await again.close();
        expect(sessions).toEqual(catalog.sessions.all().value);
        expect(kv.map(readable)).toEqual(catalog.kv.under('').value.map(readable));
        expect(checks).toEqual(catalog.checksInState('any').value);
        // What holds whatever is committed: no dead session has a key, and none outlives what it names.
        const alive = new Set(sessions.map(({ id }) => id));
        expect(kv.filter((entry) => entry.session !== '' && !alive.has(entry.session))).toEqual([]);
        for (const { node, nodeChecks } of sessions) {
          const found = (nodeChecks ?? []).map((id) => catalog.check(node, id)?.status);
          expect(found.filter((each) => each === undefined || each === 'critical')).toEqual([]);
        }
      }),
      { numRuns: 60 },
    );
  });
}

describe('a memory store', () => conformance(KINDS.memory));
describe('a sqlite store', () => conformance(KINDS.sqlite));
needs('redis-server', 'redis-server').describe('a redis store', () => {
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis[Symbol.asyncDispose]());
  conformance(KINDS.redis);
});

/** A file of version 1, as it was before there were sessions and keys. */
const VERSION_1 = `
  PRAGMA application_id = ${0x56616e65};
  PRAGMA user_version = 1;
  CREATE TABLE last_commit (only INTEGER PRIMARY KEY CHECK (only = 1), commit_index INTEGER NOT NULL) STRICT;
  INSERT INTO last_commit VALUES (1, 40);
  CREATE TABLE node (
    node TEXT PRIMARY KEY, body TEXT NOT NULL, create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE service (
    node TEXT NOT NULL REFERENCES node ON DELETE CASCADE, id TEXT NOT NULL, body TEXT NOT NULL,
    create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL, PRIMARY KEY (node, id)
  ) STRICT;
  CREATE TABLE "check" (
    node TEXT NOT NULL REFERENCES node ON DELETE CASCADE, id TEXT NOT NULL, service TEXT, body TEXT NOT NULL,
    create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL, PRIMARY KEY (node, id),
    FOREIGN KEY (node, service) REFERENCES service (node, id) ON DELETE CASCADE
  ) STRICT;
  CREATE INDEX check_service ON "check" (node, service);
  INSERT INTO node VALUES (
    'n1', '{"address":"10.0.0.1","datacenter":"dc1","id":"","meta":null,"node":"n1","taggedAddresses":null}', 5, 6
  );
`;

describe('a SQLite file of version 1', () => {
  function written(more = ''): void {
    const db = new DatabaseSync(file);
    db.exec(`${VERSION_1}${more}`);
    db.close();
  }

  function version(): unknown {
    const db = new DatabaseSync(file);
    const found = db.prepare('PRAGMA user_version').get()?.user_version;
    db.close();
    return found;
  }

  test('goes on with what it has, and takes sessions and keys from then on', async () => {
    written();
    const store = sqlite();
    const { index, nodes, kv } = await store.load();
    expect(index).toBe(40);
    expect(nodes).toMatchObject([{ node: 'n1', createIndex: 5, modifyIndex: 6 }]);
    expect(kv).toEqual([]);
    await store.commit([putSession('s1', 'n1'), putKv('k', 'v', { session: 's1' })], CAUSE);
    await store.close();
    expect(version()).toBe(2);
    const again = await sqlite().load();
    expect(again.kv.map(readable)).toMatchObject([{ key: 'k', value: 'v', session: 's1' }]);
    expect(again.nodes).toEqual(nodes);
  });

  test('stays as it is when it cannot be brought up to date as a whole', async () => {
    written('CREATE TABLE kv (of TEXT) STRICT;');
    await expect(sqlite().load()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(version()).toBe(1);
    const db = new DatabaseSync(file);
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'session%'").all()).toEqual([]);
    db.close();
  });
});

test('a check that was critical while the file could not be written has ended its sessions there too', async () => {
  const first = sqlite();
  await first.load();
  await first.commit(
    [
      putNode('n1'),
      putCheck('n1', 'c'),
      putSession('s1', 'n1', { nodeChecks: ['c'] }),
      putKv('held', 'v', { session: 's1', lockIndex: 1 }),
    ],
    CAUSE,
  );
  await first.close();
  const db = new DatabaseSync(file);
  db.exec(`
    CREATE TRIGGER jam BEFORE UPDATE ON last_commit WHEN EXISTS (SELECT 1 FROM node WHERE body LIKE '%"jam"%')
    BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`);
  db.close();
  const store = sqlite();
  const { catalog } = committing(1);
  catalog.reset(await store.load());
  store.onCommitted((committed) => catalog.apply(committed));
  const report = (status: CheckStatus): PutCheck => ({
    op: 'put-check',
    check: checkRow('n1', 'c', undefined, { status }),
  });
  await Promise.allSettled([
    store.commit([putNode('n2', { address: 'jam' })], CAUSE),
    store.commitReports([report('critical')], CAUSE),
    store.commitReports([report('passing')], CAUSE),
  ]);
  expect(catalog.kv.entry('held').value).toMatchObject({ session: '', lockIndex: 1 });
  await store.settle();
  expect(store.trouble).toBeUndefined();
  await store.close();
  const { sessions, kv, checks } = await sqlite().load();
  expect(sessions).toEqual([]);
  expect(checks).toEqual(catalog.nodeChecks('n1').value);
  expect(kv.map(readable)).toEqual(catalog.kv.under('').value.map(readable));
});

function readable<T extends { readonly value: Uint8Array }>(entry: T) {
  return { ...entry, value: Buffer.from(entry.value).toString() };
}
