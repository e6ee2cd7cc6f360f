import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/core/log.ts';
import type { Change, Committed } from '../../../src/registry/model.ts';
import { Registry } from '../../../src/registry/registry.ts';
import type { RegistryStore } from '../../../src/registry/store.ts';
import { createMemoryStore } from '../../../src/registry/stores/memory.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { startedRegistry } from '../../helpers/registry.ts';
import { CAUSE, checkRequest, putNode, serviceRequest } from '../../helpers/registry-rows.ts';

const OWN = { name: 'lb-1', address: '10.0.0.1', datacenter: 'dc1', meta: { rack: '7' } };

/** A store whose commits wait until they are let go. */
function heldStore() {
  const inner = createMemoryStore();
  const held: (() => void)[] = [];
  let holding = false;
  const commit = async (...args: Parameters<RegistryStore['commit']>) => {
    if (holding) await new Promise<void>((resolve) => held.push(resolve));
    return inner.commit(...args);
  };
  const store: RegistryStore = { ...inner, commit };
  const hold = () => {
    holding = true;
  };
  const release = () => {
    holding = false;
    for (const resolve of held.splice(0)) resolve();
  };
  return { store, held, hold, release };
}

const register = (registry: Registry, id: string) =>
  registry.registerService(
    { service: serviceRequest(id, 'web'), checks: [checkRequest(`c-${id}`)], replaceChecks: false },
    CAUSE,
  );

describe('the own node', () => {
  test('is there after the start as Consul shows a server', async () => {
    const { catalog } = await startedRegistry({ node: OWN });
    expect(catalog.self).toBe('lb-1');
    expect(catalog.node('lb-1').value?.node).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/),
      address: '10.0.0.1',
      datacenter: 'dc1',
      taggedAddresses: { lan: '10.0.0.1', lan_ipv4: '10.0.0.1', wan: '10.0.0.1', wan_ipv4: '10.0.0.1' },
      meta: { rack: '7' },
    });
    expect(catalog.entries('consul').value).toMatchObject([
      {
        instance: { id: 'consul', port: 8300, tags: [] },
        checks: [{ id: 'serfHealth', status: 'passing', output: 'Agent alive and reachable', type: '' }],
      },
    ]);
  });

  test.each([
    ['fd00::1', ['lan', 'wan', 'lan_ipv6', 'wan_ipv6']],
    ['lb.example', ['lan', 'wan']],
  ])('at %s is tagged as such', async (address, tags) => {
    const { catalog } = await startedRegistry({ node: { ...OWN, address } });
    expect(Object.keys(catalog.node('lb-1').value?.node.taggedAddresses ?? {})).toEqual(tags);
  });

  test('keeps its id, what is registered, and what checks last found, across a restart that changes nothing', async () => {
    const store = createMemoryStore();
    const first = await startedRegistry({ store });
    await register(first.registry, 'a');
    await first.registry.reportCheck('c-a', 'passing', 'fine', CAUSE);
    await first.registry.setServiceMaintenance('a', true, '', CAUSE);
    const second = await startedRegistry({ store });
    expect(second.catalog.index).toBe(first.catalog.index);
    expect(second.catalog.nodes().value).toEqual(first.catalog.nodes().value);
    expect(second.catalog.entries('web').value).toEqual(first.catalog.entries('web').value);
    expect(second.catalog.check('lb-1', 'c-a')).toMatchObject({ status: 'passing', output: 'fine' });
  });

  test('takes another address, and an id it is given', async () => {
    const store = createMemoryStore();
    await startedRegistry({ store });
    const { catalog } = await startedRegistry({ store, node: { ...OWN, address: '10.0.0.2', id: 'given' } });
    expect(catalog.nodes().value).toMatchObject([{ address: '10.0.0.2', id: 'given' }]);
  });

  test('takes along what it had under its former name, but not what others have', async () => {
    const store = createMemoryStore();
    const first = await startedRegistry({ store });
    await register(first.registry, 'a');
    const ext = { ...putNodeRow('ext'), skipUpdate: false };
    await first.registry.catalogRegister({ node: ext, service: serviceRequest('e'), checks: [] }, CAUSE);
    const id = first.catalog.node('lb-1').value?.node.id;
    const { catalog } = await startedRegistry({ store, node: { ...OWN, name: 'lb-2' } });
    expect(catalog.nodes().value.map(({ node }) => node)).toEqual(['ext', 'lb-2']);
    expect(catalog.node('lb-2').value?.node.id).toBe(id);
    expect(catalog.entries('web').value).toMatchObject([
      {
        node: { node: 'lb-2' },
        instance: { node: 'lb-2' },
        checks: [{ id: 'serfHealth' }, { id: 'c-a', node: 'lb-2' }],
      },
    ]);
    expect(catalog.entries('consul').value).toHaveLength(1);
  });

  test('leaves other nodes of a shared store alone', async () => {
    const store: RegistryStore = { ...createMemoryStore(), shared: true };
    await startedRegistry({ store });
    const { catalog } = await startedRegistry({ store, node: { ...OWN, name: 'lb-2' } });
    expect(catalog.entries('consul').value).toHaveLength(2);
    const ids = catalog.nodes().value.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
  });
});

function putNodeRow(name: string) {
  const change = putNode(name);
  if (change.op !== 'put-node') throw new Error('not a node');
  return change.node;
}

describe('several commands at once', () => {
  test('on different services overlap, so that a store can take them together', async () => {
    const { store, held, hold, release } = heldStore();
    const { registry, catalog } = await startedRegistry({ store });
    hold();
    const all = ['a', 'b', 'c'].map((id) => register(registry, id));
    await settle();
    expect(held).toHaveLength(3);
    release();
    await Promise.all(all);
    expect(catalog.entries('web').value).toHaveLength(3);
  });

  test('on the same service or check run one after the other, each on what the last has left', async () => {
    const { store, held, hold, release } = heldStore();
    const { registry, catalog } = await startedRegistry({ store });
    await register(registry, 'a');
    hold();
    const outcomes = Promise.allSettled([
      registry.reportCheck('c-a', 'passing', 'up', CAUSE),
      register(registry, 'a'),
      registry.deregisterService('A', CAUSE),
      registry.reportCheck('c-a', 'critical', 'down', CAUSE),
      register(registry, 'a'),
    ]);
    await settle();
    expect(held).toHaveLength(1);
    release();
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(catalog.check('lb-1', 'c-a')).toMatchObject({ status: 'critical', output: '' });
  });

  test('a command for the whole node waits for all before it, and all after it wait', async () => {
    const { store, held, hold, release } = heldStore();
    const { registry, catalog } = await startedRegistry({ store });
    hold();
    const order: string[] = [];
    const all = [
      register(registry, 'a').then(() => order.push('a')),
      registry
        .catalogDeregister({ node: 'lb-1', serviceId: undefined, checkId: undefined }, CAUSE)
        .then(() => order.push('all')),
      register(registry, 'b').then(() => order.push('b')),
    ];
    await settle();
    expect(held).toHaveLength(1);
    release();
    await Promise.all(all);
    expect(order).toEqual(['a', 'all', 'b']);
    expect(catalog.entries('web').value.map(({ instance }) => instance.id)).toEqual(['b']);
  });

  test('are turned away when there are far too many', async () => {
    const { store, hold, release } = heldStore();
    const { registry } = await startedRegistry({ store });
    hold();
    const reports = Array.from({ length: 10_100 }, () => register(registry, 'a'));
    const outcomes = Promise.allSettled(reports);
    await settle();
    release();
    const rejected = (await outcomes).filter(({ status }) => status === 'rejected');
    expect(rejected.length).toBeGreaterThan(0);
    expect(rejected.length).toBeLessThanOrEqual(100);
    expect(rejected[0]).toMatchObject({ reason: { code: 'STORE_FAILED' } });
  });
});

describe('limits and failures', () => {
  test('a full registry refuses more rows, but not changes or removals', async () => {
    // Node, instance and check of its own, and two more.
    const { registry, catalog } = await startedRegistry({ maxRows: 5 });
    await register(registry, 'a');
    await expect(register(registry, 'b')).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      message: 'The registry is full: it holds at most 5 rows',
    });
    await registry.reportCheck('c-a', 'passing', 'up', CAUSE);
    await registry.deregisterService('a', CAUSE);
    await register(registry, 'b');
    expect(catalog.entries('web').value).toHaveLength(1);
  });

  test('a full registry starts, also under another name', async () => {
    const store = createMemoryStore();
    const first = await startedRegistry({ store, maxRows: 5 });
    await register(first.registry, 'a');
    const { catalog } = await startedRegistry({ store, maxRows: 5, node: { ...OWN, name: 'lb-2' } });
    expect(catalog.entries('web').value).toMatchObject([{ instance: { node: 'lb-2' } }]);
  });

  test('a commit that fails changes nothing, and the next one works', async () => {
    const inner = createMemoryStore();
    let broken = false;
    const commit = async (...args: Parameters<RegistryStore['commit']>) => {
      if (broken) throw new Error('disk full');
      return inner.commit(...args);
    };
    const store = { ...inner, commit, commitReports: commit };
    const { registry, catalog, clock, lines } = await startedRegistry({ store });
    await register(registry, 'a');
    await registry.reportCheck('c-a', 'critical', 'noise', CAUSE);
    broken = true;
    await expect(register(registry, 'b')).rejects.toThrow('disk full');
    expect(catalog.entries('web').value).toHaveLength(1);
    await clock.advanceAsync(5 * 60_000);
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: 'check outputs not stored' },
    ]);
    broken = false;
    await register(registry, 'b');
    expect(catalog.entries('web').value).toHaveLength(2);
    await clock.advanceAsync(5 * 60_000);
    expect(catalog.check('lb-1', 'c-a')?.output).toBe('noise');
    expect(clock.pending).toBe(0);
  });

  test('a store that cannot be loaded fails the start and is closed', async () => {
    let closed = 0;
    const store: RegistryStore = {
      ...createMemoryStore(),
      load: () => Promise.reject(new Error('corrupt')),
      close: async () => {
        closed += 1;
      },
    };
    const registry = new Registry({ store, clock: new FakeClock(), log: silentLog, node: OWN });
    await expect(registry.start()).rejects.toThrow('corrupt');
    await registry.stop(0);
    expect(closed).toBe(1);
  });

  test('commits heard while the snapshot is being loaded are not lost, nor taken twice', async () => {
    const inner = createMemoryStore();
    const hears: ((committed: Committed) => void)[] = [];
    const store: RegistryStore = {
      ...inner,
      shared: true,
      onCommitted(fn) {
        hears.push(fn);
        return inner.onCommitted(fn);
      },
      async load() {
        await inner.commit([putNode('early')], CAUSE);
        const snapshot = await inner.load();
        await inner.commit([putNode('late')], CAUSE);
        return snapshot;
      },
    };
    const { catalog, lines } = await startedRegistry({ store });
    expect(catalog.nodes().value.map(({ node }) => node)).toEqual(['early', 'late', 'lb-1']);
    const elsewhere: Change[] = [putNode('elsewhere')];
    for (const fn of hears)
      fn({ index: catalog.index + 1, changes: elsewhere, cause: { by: 'lb-9', what: 'x' } });
    expect(lines).toMatchObject([{ message: 'node registered', fields: { node: 'elsewhere', by: 'lb-9' } }]);
  });

  test('a watcher that throws is logged, and the command succeeds', async () => {
    const { registry, catalog, lines } = await startedRegistry();
    catalog.watch({ kind: 'services' }, () => {
      throw new Error('broken');
    });
    await register(registry, 'a');
    expect(lines.find(({ level }) => level === 'error')).toMatchObject({ fields: { error: 'broken' } });
  });
});

describe('stopping', () => {
  test('refuses what comes, ends what runs, and closes the store once', async () => {
    const { store, hold, release } = heldStore();
    const { registry, catalog } = await startedRegistry({ store });
    hold();
    const running = register(registry, 'a');
    const waiting = register(registry, 'a');
    const stopping = registry.stop(60_000);
    expect(registry.stop(0)).toBe(stopping);
    await expect(register(registry, 'b')).rejects.toMatchObject({ code: 'STOPPING' });
    release();
    await Promise.all([running, waiting, stopping]);
    expect(catalog.entries('web').value).toHaveLength(1);
    await expect(store.commit([], CAUSE)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  test('waits no longer than the deadline', async () => {
    const { store, hold, release } = heldStore();
    const { registry, clock } = await startedRegistry({ store });
    hold();
    const running = register(registry, 'a');
    const waiting = register(registry, 'a');
    const stopping = registry.stop(1000);
    clock.advance(1000);
    await expect(waiting).rejects.toMatchObject({ code: 'STOPPING' });
    await stopping;
    release();
    await expect(running).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(clock.pending).toBe(0);
  });

  test('before a start does nothing, and commands are refused', async () => {
    const registry = new Registry({
      store: createMemoryStore(),
      clock: new FakeClock(),
      log: silentLog,
      node: OWN,
    });
    await expect(register(registry, 'a')).rejects.toMatchObject({ code: 'STOPPING' });
    await registry.stop(0);
  });
});
