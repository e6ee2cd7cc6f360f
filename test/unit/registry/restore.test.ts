import { describe, expect, test } from 'vitest';
import type { CheckRequest, ServiceRequest } from '../../../src/registry/commands.ts';
import type { SnapshotRows } from '../../../src/registry/snapshot-rows.ts';
import { snapshotOf } from '../../../src/registry/snapshot-rows.ts';
import { applyDefinitions } from '../../../src/registry/sources/file-source.ts';
import { startedRegistry } from '../../helpers/registry.ts';
import { serviceRequest } from '../../helpers/registry-rows.ts';

const CAUSE = { by: 'test', what: 'test' };
const OPERATOR = { by: 'operator', what: 'snapshot' };

function service(id: string, port = 80): ServiceRequest {
  return serviceRequest(id, id, { port });
}

const CHECK: CheckRequest = {
  id: undefined,
  name: undefined,
  notes: '',
  status: 'passing',
  type: '',
  definition: undefined,
};

type Started = Awaited<ReturnType<typeof startedRegistry>>;

async function register({ registry }: Started, id: string, port?: number): Promise<void> {
  await registry.registerService(
    { service: service(id, port), checks: [CHECK], replaceChecks: false },
    CAUSE,
  );
}

async function write({ registry }: Started, key: string, value: string, session = ''): Promise<void> {
  const verb = session === '' ? 'set' : 'lock';
  await registry.kv.write({ verb, key, value: Buffer.from(value), flags: '0', index: 0, session }, CAUSE);
}

function session(
  { registry }: Started,
  behavior: 'release' | 'delete',
  checks = ['serfHealth'],
): Promise<string> {
  const times = { lockDelay: 0, ttl: '', ttlMs: 0 };
  return registry.sessions.create(
    { name: '', node: 'lb-1', behavior, ...times, nodeChecks: checks, serviceChecks: null, checks: null },
    CAUSE,
  );
}

/** Without what the registry keeps by itself. */
function held({ catalog }: Started) {
  const rows = snapshotOf(catalog);
  return {
    services: rows.services
      .filter(({ id }) => id !== 'consul')
      .map(({ node, id, port }) => `${node} ${id}:${port}`),
    checks: rows.checks.filter(({ id }) => id !== 'serfHealth').map(({ id, status }) => `${id} ${status}`),
    kv: rows.kv.map(
      ({ key, value, session: by }) => `${key}=${Buffer.from(value)}${by === '' ? '' : ' held'}`,
    ),
    sessions: rows.sessions.length,
  };
}

function restore(to: Started, rows: SnapshotRows, from: { node?: string; index?: number } = {}) {
  const { node = 'lb-1', index = 1 } = from;
  return to.registry.restore({ rows, node, index, keeps: ({ meta }) => meta?.kept === 'yes' }, OPERATOR);
}

describe('a restore', () => {
  test('brings back what was there and takes away what has come since, as one commit', async () => {
    const started = await startedRegistry();
    await register(started, 'web', 80);
    await register(started, 'gone');
    await write(started, 'a', '1');
    await write(started, 'b', '2');
    const before = held(started);
    const snapshot = snapshotOf(started.catalog);
    await register(started, 'web', 81);
    await started.registry.deregisterService('gone', CAUSE);
    await register(started, 'new');
    await started.registry.reportCheck('service:web', 'critical', 'down', CAUSE);
    await write(started, 'a', 'other');
    await write(started, 'c', '3');
    const { index } = started.catalog;
    let commits = 0;
    const cancel = started.store.onCommitted(() => {
      commits += 1;
    });
    const at = await restore(started, snapshot);
    cancel();
    expect(commits).toBe(1);
    expect(at).toBeGreaterThan(index);
    expect(started.catalog.index).toBe(at);
    expect(held(started)).toEqual(before);
    expect(started.lines.filter(({ fields }) => fields.by === 'operator').length).toBeGreaterThan(0);
  });

  test('wakes who waits for something that it changes, and nobody else', async () => {
    const started = await startedRegistry();
    await register(started, 'web', 80);
    await register(started, 'same');
    const snapshot = snapshotOf(started.catalog);
    await register(started, 'web', 81);
    const woken: string[] = [];
    for (const name of ['web', 'same']) {
      started.catalog.watch({ kind: 'health-service', service: name }, () => woken.push(name));
    }
    await restore(started, snapshot);
    expect(woken).toEqual(['web']);
  });

  test('comes after every index that the snapshot knows, in any store', async () => {
    const started = await startedRegistry();
    expect(await restore(started, snapshotOf(started.catalog), { index: 5_000 })).toBe(5_001);
    await register(started, 'web');
    expect(started.catalog.index).toBe(5_002);
    expect(await restore(started, snapshotOf(started.catalog), { index: 10 })).toBe(5_003);
  });

  test('into a node of another name brings what was on the saved one', async () => {
    const saved = await startedRegistry({
      node: { name: 'old', address: '10.0.0.9', datacenter: 'dc1', meta: {} },
    });
    await register(saved, 'web');
    await saved.registry.catalogRegister(
      {
        node: {
          id: '',
          node: 'db-1',
          address: '10.0.0.7',
          datacenter: 'dc1',
          taggedAddresses: null,
          meta: null,
          skipUpdate: false,
        },
        service: service('mysql', 3306),
        checks: [],
      },
      CAUSE,
    );
    const started = await startedRegistry();
    await restore(started, snapshotOf(saved.catalog), { node: 'OLD' });
    expect(held(started)).toMatchObject({
      services: ['db-1 mysql:3306', 'lb-1 web:80'],
      checks: ['service:web passing'],
    });
    expect(started.catalog.nodes().value.map(({ node, address }) => `${node} ${address}`)).toEqual([
      'db-1 10.0.0.7',
      'lb-1 10.0.0.1',
    ]);
  });

  test('leaves alone what files define and what the process keeps, and takes none of it from the snapshot', async () => {
    const saved = await startedRegistry();
    const file = 'web.json';
    const defined = (id: string, port: number) => ({ file, service: service(id, port), checks: [CHECK] });
    await applyDefinitions(saved.registry, { services: [defined('web', 1), defined('old', 1)], checks: [] });
    const kept = (id: string, port: number) => ({ ...service(id, port), meta: { kept: 'yes' } });
    for (const id of ['vip', 'old-vip']) {
      await saved.registry.registerService(
        { service: kept(id, 1), checks: [CHECK], replaceChecks: false },
        CAUSE,
      );
    }
    await register(saved, 'api');

    const started = await startedRegistry();
    await applyDefinitions(started.registry, { services: [defined('web', 2)], checks: [] });
    await started.registry.registerService(
      { service: kept('vip', 2), checks: [CHECK], replaceChecks: false },
      CAUSE,
    );
    await started.registry.reportCheck('service:web', 'critical', 'down', CAUSE);
    await restore(started, snapshotOf(saved.catalog));
    expect(held(started)).toMatchObject({
      services: ['lb-1 api:80', 'lb-1 vip:2', 'lb-1 web:2'],
      checks: ['service:api passing', 'service:vip passing', 'service:web critical'],
    });
    expect(snapshotOf(started.catalog).services.filter((row) => row.file !== undefined)).toHaveLength(1);
  });

  test('brings back sessions with their locks, and frees the locks of those that cannot live', async () => {
    const started = await startedRegistry();
    await register(started, 'web');
    const living = await session(started, 'release');
    const ending = await session(started, 'release', ['service:web']);
    const deleting = await session(started, 'delete', ['service:web']);
    await write(started, 'living', '1', living);
    await write(started, 'ending', '2', ending);
    await write(started, 'deleting', '3', deleting);
    const snapshot = snapshotOf(started.catalog);
    await started.registry.sessions.destroy(living, CAUSE);
    await restore(started, snapshot);
    expect(held(started)).toMatchObject({
      sessions: 3,
      kv: ['deleting=3 held', 'ending=2 held', 'living=1 held'],
    });
    const critical = {
      ...snapshot,
      checks: snapshot.checks.map((row) => (row.id === 'service:web' ? { ...row, status: 'critical' } : row)),
    };
    await restore(started, critical);
    expect(held(started)).toMatchObject({ sessions: 1, kv: ['ending=2', 'living=1 held'] });
  });

  test('of more than there is room for changes nothing', async () => {
    const saved = await startedRegistry();
    for (const id of ['a', 'b', 'c']) await register(saved, id);
    await write(saved, 'key', 'a long value');
    const small = await startedRegistry({ maxRows: 6 });
    await expect(restore(small, snapshotOf(saved.catalog))).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
    });
    const poor = await startedRegistry({ maxKvBytes: 5 });
    await expect(restore(poor, snapshotOf(saved.catalog))).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
    });
    expect(held(poor).services).toEqual([]);
  });
});
