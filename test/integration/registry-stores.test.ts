import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type {
  Change,
  CheckDefinition,
  CheckKind,
  CheckStatus,
  Committed,
  PutCheck,
  StoreSnapshot,
} from '../../src/registry/model.ts';
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
  deleteNode,
  deleteService,
  instanceRow,
  nodeRow,
  putCheck,
  putNode,
  putService,
} from '../helpers/registry-rows.ts';

const EMPTY: StoreSnapshot = {
  index: 0,
  nodes: [],
  services: [],
  checks: [],
  sessions: [],
  kv: [],
  queries: [],
};

let folder: string;
let file: string;
const open: RegistryStore[] = [];
let redis: RedisServer;
let prefixes = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vane-store-'));
  file = join(folder, 'data', 'registry.db');
});

afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function opened(store: RegistryStore): RegistryStore {
  open.push(store);
  return store;
}

function sqlite(path = file): RegistryStore {
  return opened(openSqliteStore(path));
}

/** Each starts a store, and a second time finds in it what was there: a restart, as far as the kind has one. */
const KINDS = {
  memory: () => {
    const store = opened(createMemoryStore());
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

const definition = (kind: CheckKind): CheckDefinition => ({
  kind,
  interval: 10_000,
  timeout: 1000,
  ttl: 0,
  successBeforePassing: 0,
  failuresBeforeCritical: 0,
  deregisterCriticalServiceAfter: 60_000,
  outputMaxSize: 4096,
});

const KINDS_OF_CHECK: CheckKind[] = [
  {
    kind: 'http',
    url: 'http://127.0.0.1/',
    method: 'POST',
    header: { Host: ['a', 'b'] },
    body: '{"x": 1}',
    tlsSkipVerify: true,
  },
  { kind: 'tcp', address: '127.0.0.1:80' },
  { kind: 'script', args: ['/bin/true', '--flag'], shell: '' },
  { kind: 'ttl' },
  { kind: 'alias', node: 'n2', serviceId: '' },
];

/** Something in every field. */
const FULL: Change[] = [
  {
    op: 'put-node',
    node: nodeRow('N1', { id: 'u-u-i-d', taggedAddresses: { lan: '::1' }, meta: { z: '1', a: 'ü "q" \\' } }),
  },
  {
    op: 'put-service',
    service: instanceRow('n1', 'Web/1 a', 'Web', {
      tags: ['b', 'a'],
      address: '10.1.1.1',
      port: -5,
      taggedAddresses: { lan: { address: '10.1.1.1', port: 99_999_999 } },
      meta: JSON.parse('{"__proto__": "odd", "10": "ten", "2": ""}'),
      weights: { passing: 10, warning: 2 },
      enableTagOverride: true,
      kind: 'k',
    }),
  },
  { op: 'put-service', service: instanceRow('N1', 'bare', 'bare', { meta: {} }) },
  ...KINDS_OF_CHECK.map(
    (kind, i): Change => ({
      op: 'put-check',
      check: checkRow(
        'n1',
        `C${i}`,
        { id: 'web/1 A', service: 'Web', tags: ['b', 'a'] },
        {
          definition: definition(kind),
          output: 'line\nline\u0000\ud83d\ude00',
          notes: 'n',
          type: kind.kind,
        },
      ),
    }),
  ),
  putCheck('n1', 'node-check', undefined, { status: 'weird' }),
];

function conformance(kind: (typeof KINDS)[keyof typeof KINDS]): void {
  test('starts empty, below the first commit', async () => {
    const store = kind().start();
    expect(await store.load()).toEqual({ ...EMPTY, index: 1 });
    expect(await store.commit([putNode('n1')], CAUSE)).toBeGreaterThan(1);
  });

  test('gives back every field of every row, with its indexes', async () => {
    const { start, restart } = kind();
    const store = start();
    await store.load();
    const { catalog } = committing(1);
    store.onCommitted((committed) => catalog.apply(committed));
    await store.commit(FULL, CAUSE);
    await store.commit([putService('n1', 'bare', 'bare', { port: 81 })], CAUSE);
    const snapshot = await (await restart()).load();
    expect(snapshot.index).toBe(catalog.index);
    expect(snapshot.nodes).toEqual(catalog.nodes().value);
    expect(snapshot.services).toEqual(catalog.node('n1').value?.instances);
    expect(snapshot.checks).toEqual(catalog.nodeChecks('n1').value);
    expect(Object.keys(snapshot.services[1]?.meta ?? {})).toEqual(['2', '10', '__proto__']);
  });

  test('leaves rows alone that are put again as they are', async () => {
    const { start, restart } = kind();
    const store = start();
    await store.load();
    const index = await store.commit(FULL, CAUSE);
    const last = await store.commit(FULL.map(otherKeyOrder), CAUSE);
    const { nodes, services, checks } = await (await restart()).load();
    expect(last).toBeGreaterThan(index);
    const rows = [...nodes, ...services, ...checks];
    expect(rows).toHaveLength(FULL.length);
    expect(rows.filter(({ modifyIndex }) => modifyIndex !== index)).toEqual([]);
  });

  test('tells of each commit once, in order, whole and before it resolves', async () => {
    const store = kind().start();
    await store.load();
    const heard: Committed[] = [];
    const cancel = store.onCommitted((committed) => heard.push(committed));
    const indexes = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        const index = await store.commit([putNode(name), putService(name, 'web')], { by: name, what: 'w' });
        expect(heard.at(-1)?.index).toBeGreaterThanOrEqual(index);
        expect(heard.some((committed) => committed.index === index)).toBe(true);
        return index;
      }),
    );
    expect(heard.map(({ index }) => index)).toEqual(indexes);
    expect([...indexes].sort((a, b) => a - b)).toEqual(indexes);
    expect(heard.map(({ cause }) => cause.by)).toEqual(['a', 'b', 'c']);
    expect(heard[1]?.changes).toEqual([putNode('b'), putService('b', 'web')]);
    cancel();
    await store.commit([putNode('d')], CAUSE);
    expect(heard).toHaveLength(3);
  });

  test('keeps indexes rising across a restart, also when the last thing was a delete', async () => {
    const { start, restart } = kind();
    const store = start();
    await store.load();
    await store.commit([putNode('n1')], CAUSE);
    const last = await store.commit([deleteNode('n1')], CAUSE);
    const again = await restart();
    expect(await again.load()).toEqual({ ...EMPTY, index: last });
    expect(await again.commit([putNode('n1')], CAUSE)).toBeGreaterThan(last);
  });

  test('holds after any commits what the catalog holds that has heard of them', async () => {
    const node = fc.constantFrom('n1', 'N1', 'n2');
    const id = fc.constantFrom('a', 'A', 'b');
    const word = fc.constantFrom('x', 'y');
    const change = fc.oneof(
      fc.tuple(node, word).map(([n, address]) => putNode(n, { address })),
      fc.tuple(node, id, word).map(([n, i, s]) => putService(n, i, s)),
      fc.tuple(node, id, word).map(([n, c, status]) => putCheck(n, c, undefined, { status })),
      fc.tuple(node, id, id).map(([n, c, i]) => putCheck(n, c, { id: i, service: 'x' })),
      node.map(deleteNode),
      fc.tuple(node, id).map(([n, i]) => deleteService(n, i)),
      fc.tuple(node, id).map(([n, c]) => deleteCheck(n, c)),
    );
    const commits = fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), {
      minLength: 5,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(commits, async (commits) => {
        rmSync(join(folder, 'data'), { recursive: true, force: true });
        const { start, restart } = kind();
        const store = start();
        await store.load();
        const { catalog } = committing(1);
        store.onCommitted((committed) => catalog.apply(committed));
        await Promise.all(commits.map((changes) => store.commit(changes, CAUSE)));
        const again = await restart();
        const snapshot = await again.load();
        await again.close();
        const nodes = catalog.nodes().value;
        expect(snapshot).toEqual({
          ...EMPTY,
          index: catalog.index,
          nodes,
          services: nodes.flatMap(({ node }) => catalog.node(node).value?.instances ?? []),
          checks: catalog.checksInState('any').value,
        });
      }),
      { numRuns: 30 },
    );
  });

  test('keeps reports of checks as it keeps other changes', async () => {
    const { start, restart } = kind();
    const store = start();
    await store.load();
    const first = await store.commit([putNode('n1'), putCheck('n1', 'c')], CAUSE);
    const index = await store.commitReports([reportOf('critical')], CAUSE);
    expect(index).toBeGreaterThan(first);
    expect(store.trouble).toBeUndefined();
    const { checks } = await (await restart()).load();
    expect(checks).toMatchObject([{ status: 'critical', createIndex: first, modifyIndex: index }]);
  });

  test('takes no commit once it is closed, and what was asked for before counts', async () => {
    const { start } = kind();
    const store = start();
    await store.load();
    const before = store.commit([putNode('n1')], CAUSE);
    await store.close();
    await store.close();
    await expect(before).resolves.toBeGreaterThan(1);
    await expect(store.commit([putNode('n2')], CAUSE)).rejects.toMatchObject({ code: 'STORE_FAILED' });
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

describe('the SQLite file', () => {
  const CORRUPT = { code: 'STORE_CORRUPT' };

  /** A good file with `rows` services in it, closed. */
  async function written(rows = 1): Promise<void> {
    const store = sqlite();
    await store.load();
    const services = Array.from({ length: rows }, (_, i) => putService('n1', `web-${i}`, 'web'));
    await store.commit([putNode('n1'), ...services], CAUSE);
    await store.close();
  }

  async function edit(sql: string): Promise<void> {
    await written();
    const db = new DatabaseSync(file, { enableForeignKeyConstraints: false });
    db.exec(sql);
    db.close();
  }

  test('is readable by nobody else, with all that comes with it', async () => {
    const store = sqlite();
    await store.load();
    await store.commit([putNode('n1')], CAUSE);
    const names = readdirSync(join(folder, 'data'));
    expect(names).toContain('registry.db');
    for (const name of names) {
      expect([name, statSync(join(folder, 'data', name)).mode & 0o077]).toEqual([name, 0]);
    }
  });

  test('is used by one process at a time', async () => {
    const store = sqlite();
    await store.load();
    await expect(sqlite().load()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('another process uses it'),
    });
    await store.commit([putNode('n1')], CAUSE);
    await store.close();
    expect((await sqlite().load()).nodes).toHaveLength(1);
  });

  test('is made anew when an earlier attempt at it was cut short', async () => {
    await written();
    rmSync(file);
    writeFileSync(`${file}.new`, 'half a fil');
    expect((await sqlite().load()).nodes).toEqual([]);
  });

  test.each<[string, () => void | Promise<void>, string]>([
    [
      'that is no database',
      () => writeFileSync(file, 'not a database, but long enough to be read as one\n'.repeat(99)),
      'not a database',
    ],
    ['that is empty', () => truncateSync(file, 0), 'it is empty'],
    ['that is cut short', () => truncateSync(file, Math.floor(statSync(file).size / 2)), ''],
    ['whose pages are overwritten', () => writeFileSync(file, overwritten(readFileSync(file))), ''],
  ])('%s is refused and left alone', async (_name, damage, why) => {
    await written(500);
    await damage();
    const before = readFileSync(file);
    await expect(sqlite().load()).rejects.toMatchObject({
      ...CORRUPT,
      message: expect.stringContaining(why),
    });
    await expect(sqlite().load()).rejects.toMatchObject({ message: expect.stringContaining(file) });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('is refused for damage that reading its rows would not show', async () => {
    await written();
    const db = new DatabaseSync(file);
    const root = db
      .prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'check_service'")
      .get()?.rootpage;
    db.close();
    const bytes = readFileSync(file);
    bytes.fill(0xff, (Number(root) - 1) * 4096, Number(root) * 4096);
    writeFileSync(file, bytes);
    await expect(sqlite().load()).rejects.toMatchObject(CORRUPT);
  });

  test('that is gone, with its write-ahead log still there, is refused', async () => {
    await written();
    rmSync(file);
    writeFileSync(`${file}-wal`, 'x');
    await expect(sqlite().load()).rejects.toMatchObject({
      ...CORRUPT,
      message: expect.stringContaining('write-ahead log'),
    });
  });

  test.each([
    ["another program's database", 'PRAGMA application_id = 1', 'not a registry of Vane'],
    ['one of a later version', 'PRAGMA user_version = 3', 'version 3'],
    ['a row that cannot be read', `UPDATE service SET body = '{"node":'`, 'n1/web-0'],
    [
      'a row with a field of the wrong kind',
      `UPDATE service SET body = replace(body, '80', '"80"')`,
      'n1/web-0',
    ],
    ['a row without a field', `UPDATE node SET body = '{}'`, 'n1'],
    ['services without their node', 'DELETE FROM node', 'rows are missing'],
    ['no index', 'DELETE FROM last_commit', 'index'],
  ])('%s is refused', async (_name, sql, why) => {
    await edit(sql);
    await expect(sqlite().load()).rejects.toMatchObject({
      ...CORRUPT,
      message: expect.stringContaining(why),
    });
  });

  test('fails one commit alone where several are made durable together', async () => {
    const store = sqlite();
    await store.load();
    const heard: Committed[] = [];
    store.onCommitted((committed) => heard.push(committed));
    const good = putNode('n1');
    // A change no honest caller makes: its text cannot be bound to a column.
    const bad = { op: 'delete-node', node: { toLowerCase: () => Symbol('no text') } } as unknown as Change;
    const outcomes = await Promise.allSettled([
      store.commit([good], CAUSE),
      store.commit([putNode('n2'), bad], CAUSE),
      store.commit([putNode('n3')], CAUSE),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'STORE_FAILED' } });
    expect(heard).toHaveLength(2);
    await store.close();
    expect((await sqlite().load()).nodes.map(({ node }) => node)).toEqual(['n1', 'n3']);
  });

  test('in a folder that cannot be made fails as what it is', async () => {
    const blocked = join(folder, 'blocked');
    writeFileSync(blocked, 'a file where a folder should be');
    await expect(sqlite(join(blocked, 'registry.db')).load()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

describe('killed at any moment', () => {
  const children: ChildProcess[] = [];

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  /** Starts a writer and kills it after `acknowledged` commits; returns the numbers it had printed. */
  async function writeAndKill(first: number, acknowledged: number): Promise<number[]> {
    const script = new URL('../helpers/sqlite-writer.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script, file, String(first)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const exited = once(child, 'exit');
    const printed: number[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      printed.push(Number(line));
      if (printed.length === acknowledged) child.kill('SIGKILL');
    }
    await exited;
    expect(child.signalCode).toBe('SIGKILL');
    return printed;
  }

  test('a SQLite store has everything it acknowledged, and nothing by halves', async () => {
    const acknowledged: number[] = [];
    let lastIndex = 0;
    for (const [round, after] of [3, 17, 64, 1, 41].entries()) {
      acknowledged.push(...(await writeAndKill(round * 100_000, after)));
      const store = sqlite();
      const { index, services, checks } = await store.load();
      await store.close();
      const ids = new Set(services.map(({ id }) => id));
      expect(acknowledged.filter((n) => !ids.has(`s-${n}`))).toEqual([]);
      expect(checks.map(({ serviceId }) => serviceId).sort()).toEqual([...ids].sort());
      expect(index).toBeGreaterThan(lastIndex);
      expect(Math.max(...services.map(({ modifyIndex }) => modifyIndex))).toBeLessThanOrEqual(index);
      lastIndex = index;
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(3 + 17 + 64 + 1 + 41);
  });
});

describe('a SQLite file that cannot be written', () => {
  /** A store with a node and two checks on it, whose file refuses to be written together with `JAM`. */
  async function jammed() {
    const first = sqlite();
    await first.load();
    await first.commit([putNode('n1'), putCheck('n1', 'c'), putCheck('n1', 'd')], CAUSE);
    await first.close();
    const db = new DatabaseSync(file);
    // As SQLite does by itself when the disk is full: what has been begun is undone.
    db.exec(`
      CREATE TRIGGER jam BEFORE UPDATE ON last_commit
      WHEN EXISTS (SELECT 1 FROM node WHERE body LIKE '%"jam"%')
      BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`);
    db.close();
    return sqlite();
  }

  const JAM: Change = putNode('n2', { address: 'jam' });

  test('refuses commits, takes reports, and says what is wrong', async () => {
    const store = await jammed();
    const heard: Committed[] = [];
    const { index: before } = await store.load();
    store.onCommitted((committed) => heard.push(committed));
    const outcomes = await Promise.allSettled([
      store.commit([JAM], CAUSE),
      store.commitReports([reportOf('critical')], CAUSE),
      store.commit([putNode('n3')], CAUSE),
      store.commitReports([reportOf('warning')], CAUSE),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[0]).toMatchObject({ reason: { code: 'STORE_FAILED' } });
    expect(heard.map(({ index }) => index)).toEqual([before + 1, before + 2]);
    expect(heard[1]?.changes).toEqual([reportOf('warning')]);
    expect(store.trouble?.message).toContain('disk is full');
    expect(store.failures).toBe(1);
  });

  test('has the latest report of each check once it can be written again, by itself or with the next commit', async () => {
    for (const mend of ['settle', 'commit', 'close'] as const) {
      rmSync(join(folder, 'data'), { recursive: true, force: true });
      const store = await jammed();
      await store.load();
      await Promise.allSettled([
        store.commit([JAM], CAUSE),
        store.commitReports([reportOf('critical')], CAUSE),
      ]);
      const [, last] = await Promise.allSettled([
        store.commit([JAM], CAUSE),
        store.commitReports([reportOf('warning')], CAUSE),
      ]);
      expect(store.trouble).toBeDefined();
      if (mend === 'settle') await store.settle();
      if (mend === 'commit') await store.commit([deleteCheck('n1', 'd')], CAUSE);
      if (mend !== 'close') expect(store.trouble).toBeUndefined();
      await store.close();
      const { index, checks } = await sqlite().load();
      const modifyIndex = last?.status === 'fulfilled' ? last.value : -1;
      expect(checks[0]).toMatchObject({ id: 'c', status: 'warning', modifyIndex });
      expect(checks).toHaveLength(mend === 'commit' ? 1 : 2);
      expect(index).toBe(mend === 'commit' ? modifyIndex + 1 : modifyIndex);
    }
  });

  test('does not give an index twice that was lost with a report', async () => {
    const store = await jammed();
    await store.load();
    await store.commit([putNode('n3')], CAUSE);
    const lost = await Promise.allSettled([
      store.commit([JAM], CAUSE),
      store.commitReports([reportOf('critical')], CAUSE),
    ]);
    // What a crash would leave: the file and its log as they are now.
    const copy = join(folder, 'copy.db');
    copyFileSync(file, copy);
    copyFileSync(`${file}-wal`, `${copy}-wal`);
    const { index, checks } = await sqlite(copy).load();
    expect(checks[0]).toMatchObject({ id: 'c', status: 'passing' });
    expect(lost[1]?.status === 'fulfilled' && lost[1].value <= index).toBe(true);
  });
});

/** What a check `c` of node `n1` has found. */
function reportOf(status: CheckStatus): PutCheck {
  return { op: 'put-check', check: checkRow('n1', 'c', undefined, { status }) };
}

/** The same change, its fields the other way round. */
function otherKeyOrder(change: Change): Change {
  return JSON.parse(JSON.stringify(change), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).reverse());
  });
}

/** Every page but the first loses its head. */
function overwritten(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let page = 4096; page < copy.length; page += 4096) copy.fill(0xff, page, page + 512);
  return copy;
}
