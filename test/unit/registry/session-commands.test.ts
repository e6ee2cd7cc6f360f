import { describe, expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import type { Registry } from '../../../src/registry/registry.ts';
import type { SessionRequest } from '../../../src/registry/sessions.ts';
import type { RegistryStore } from '../../../src/registry/store.ts';
import { createMemoryStore } from '../../../src/registry/stores/memory.ts';
import { settle } from '../../helpers/fake-clock.ts';
import { startedRegistry } from '../../helpers/registry.ts';
import { CAUSE, checkRequest, nodeRow, serviceRequest, sessionRequest } from '../../helpers/registry-rows.ts';

const create = (registry: Registry, more: Partial<SessionRequest> = {}) =>
  registry.sessions.create(sessionRequest('lb-1', more), CAUSE);

const TTL = { ttl: '10s', ttlMs: 10_000 };
const passing = (id: string) => checkRequest(id, { status: 'passing' });

/** A session that holds `key`, on a registry with a service `web` that has a check `c`. */
async function holding(more: Partial<SessionRequest> = {}) {
  const started = await startedRegistry();
  const { registry, catalog } = started;
  const service = serviceRequest('web');
  await registry.registerService({ service, checks: [passing('c')], replaceChecks: false }, CAUSE);
  const id = await create(registry, { checks: ['serfHealth', 'C'], ...more });
  const lock = { verb: 'lock', key: 'key', value: Buffer.from('v'), flags: '0', index: 0 } as const;
  expect(await registry.kv.write({ ...lock, session: id }, CAUSE)).toBe(true);
  const alive = () => catalog.sessions.get(id).value !== undefined;
  const entry = () => catalog.kv.entry('key').value;
  return { ...started, id, alive, entry };
}

describe('a session', () => {
  test('is created with an id of its own, found by it and by its node, and ended once', async () => {
    const { registry, catalog } = await startedRegistry();
    const id = await create(registry, { name: 'mine', nodeChecks: ['serfHealth'] });
    expect(id).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    expect(catalog.sessions.get(id).value).toMatchObject({ id, name: 'mine', createIndex: catalog.index });
    expect(catalog.sessions.ofNode('LB-1').value.map((session) => session.id)).toEqual([id]);
    await registry.sessions.destroy(id.toUpperCase(), CAUSE);
    expect(catalog.sessions.all()).toEqual({ index: catalog.index, value: [] });
    const { index } = catalog;
    await registry.sessions.destroy(id, CAUSE);
    expect(catalog.index).toBe(index);
    await expect(registry.sessions.destroy('x', CAUSE)).rejects.toThrow('UUID must be 36 characters');
  });

  test.each<[Partial<SessionRequest>, string]>([
    [{ node: 'nope' }, 'Missing node registration'],
    [{ nodeChecks: ['serfHealth', 'nope'] }, "Missing check 'nope' registration"],
    [{ checks: ['sick'] }, "Check 'sick' is in critical state"],
    [{ serviceChecks: [{ id: 'sick', namespace: '' }] }, "Check 'sick' is in critical state"],
  ])('with %o is refused', async (more, why) => {
    const { registry, catalog } = await startedRegistry();
    await registry.registerCheck({ ...checkRequest('sick'), serviceId: '' }, CAUSE);
    await expect(create(registry, more)).rejects.toMatchObject({ code: 'REGISTRY_INVALID', message: why });
    expect(catalog.sessions.all().value).toEqual([]);
  });

  test('cannot come into being on a check that turns critical meanwhile', async () => {
    const { registry, catalog } = await startedRegistry();
    await registry.registerCheck({ ...passing('c'), serviceId: '' }, CAUSE);
    const [, created] = await Promise.allSettled([
      registry.reportCheck('c', 'critical', '', CAUSE),
      create(registry, { nodeChecks: ['c'] }),
    ]);
    expect(created).toMatchObject({ status: 'rejected', reason: { message: /critical state/ } });
    expect(catalog.sessions.all().value).toEqual([]);
  });
});

describe('a session ends, and its key is free', () => {
  type Held = Awaited<ReturnType<typeof holding>>;
  const self = { id: '', address: '10.0.0.1' };

  test.each<[string, (held: Held) => Promise<unknown>]>([
    ['when destroyed', ({ registry, id }) => registry.sessions.destroy(id, CAUSE)],
    [
      'when one of its checks turns critical',
      ({ registry }) => registry.reportCheck('c', 'critical', 'down', CAUSE),
    ],
    ['when one of its checks is deregistered', ({ registry }) => registry.deregisterCheck('c', CAUSE)],
    [
      'when the service of a check is deregistered',
      ({ registry }) => registry.deregisterService('web', CAUSE),
    ],
    [
      'when the check is left out on registering anew',
      ({ registry }) =>
        registry.registerService({ service: serviceRequest('web'), checks: [], replaceChecks: true }, CAUSE),
    ],
    [
      'when somebody tells in the catalog that a check is critical',
      ({ registry }) =>
        registry.catalogRegister(
          {
            node: { ...nodeRow('lb-1'), ...self, skipUpdate: true },
            service: undefined,
            checks: [
              {
                ...{ id: 'c', name: 'c', status: 'critical', notes: '', output: '', type: '' },
                ...{ serviceId: 'web', serviceName: '', serviceTags: [], definition: undefined },
              },
            ],
          },
          CAUSE,
        ),
    ],
  ])('%s', async (_name, end) => {
    const held = await holding();
    await end(held);
    expect(held.alive()).toBe(false);
    expect(held.entry()).toMatchObject({ session: '', lockIndex: 1, modifyIndex: held.catalog.index });
  });

  test('or gone, if that is what it asked for', async () => {
    const { registry, alive, entry } = await holding({ behavior: 'delete' });
    await registry.reportCheck('c', 'critical', '', CAUSE);
    expect([alive(), entry()]).toEqual([false, undefined]);
  });

  test('with its node', async () => {
    const { registry, catalog } = await startedRegistry();
    const node = { ...nodeRow('ext'), skipUpdate: false };
    await registry.catalogRegister({ node, service: undefined, checks: [] }, CAUSE);
    await create(registry, { node: 'EXT' });
    await registry.catalogDeregister({ node: 'ext', serviceId: undefined, checkId: undefined }, CAUSE);
    expect(catalog.sessions.all().value).toEqual([]);
  });

  test('but not for a warning, nor a check it does not name', async () => {
    const { registry, alive } = await holding();
    await registry.registerCheck({ ...passing('other'), serviceId: '' }, CAUSE);
    await registry.reportCheck('c', 'warning', '', CAUSE);
    await registry.reportCheck('other', 'critical', '', CAUSE);
    expect(alive()).toBe(true);
  });
});

describe('a session with a TTL', () => {
  test('ends when it is not renewed within twice that time', async () => {
    const { clock, alive, entry, lines } = await holding(TTL);
    lines.splice(0);
    await clock.advanceAsync(19_999);
    expect(alive()).toBe(true);
    await clock.advanceAsync(1);
    expect([alive(), entry()?.session]).toEqual([false, '']);
    expect(lines).toMatchObject([{ message: 'session ended', fields: { what: 'session TTL' } }]);
    expect(clock.pending).toBe(0);
  });

  test('goes on while it is renewed, and nothing is committed for that', async () => {
    const { registry, catalog, clock, id, alive } = await holding(TTL);
    const { index } = catalog;
    for (let i = 0; i < 5; i++) {
      await clock.advanceAsync(19_000);
      expect(await registry.sessions.renew(id.toUpperCase())).toMatchObject({ id });
    }
    expect([alive(), catalog.index]).toEqual([true, index]);
    await clock.advanceAsync(20_000);
    expect(alive()).toBe(false);
    expect(await registry.sessions.renew(id)).toBeUndefined();
    await expect(registry.sessions.renew('nope')).rejects.toThrow('UUID must be 36 characters');
  });

  test('of zero, or none, never ends by itself', async () => {
    const { clock, alive } = await holding({ ttl: '0s', ttlMs: 0 });
    expect(clock.pending).toBe(0);
    await clock.advanceAsync(1e9);
    expect(alive()).toBe(true);
  });

  test('has its time anew after a restart, and keeps its lock', async () => {
    const store = createMemoryStore();
    const first = await startedRegistry({ store });
    const id = await create(first.registry, TTL);
    await first.registry.kv.write(
      { verb: 'lock', key: 'k', value: Buffer.from('v'), flags: '0', index: 0, session: id },
      CAUSE,
    );
    await first.clock.advanceAsync(15_000);
    const { catalog, clock } = await startedRegistry({ store });
    expect(catalog.kv.entry('k').value).toMatchObject({ session: id, lockIndex: 1 });
    await clock.advanceAsync(19_999);
    expect(catalog.kv.entry('k').value).toMatchObject({ session: id });
    await clock.advanceAsync(1);
    expect(catalog.kv.entry('k').value).toMatchObject({ session: '' });
  });

  test('is ended later when the store fails, and may be renewed until then', async () => {
    const inner = createMemoryStore();
    let failing = false;
    const store: RegistryStore = {
      ...inner,
      commit: (...args) =>
        failing ? Promise.reject(new VaneError('STORE_FAILED', 'disk is full')) : inner.commit(...args),
    };
    const { registry, catalog, clock, lines } = await startedRegistry({ store });
    const [saved, lost] = [await create(registry, TTL), await create(registry, TTL)];
    failing = true;
    await clock.advanceAsync(20_000);
    expect(catalog.sessions.all().value).toHaveLength(2);
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: 'expired session not ended yet', fields: { error: 'disk is full' } },
      { fields: { session: expect.any(String) } },
    ]);
    await registry.sessions.renew(saved);
    failing = false;
    await clock.advanceAsync(5_000);
    expect(catalog.sessions.all().value.map(({ id }) => id)).toEqual([saved]);
    expect(lost).not.toBe(saved);
  });

  test('that is renewed while its end waits for its turn goes on', async () => {
    const inner = createMemoryStore();
    const held: (() => void)[] = [];
    let holding = false;
    const store: RegistryStore = {
      ...inner,
      commit: async (...args) => {
        if (holding) await new Promise<void>((resolve) => held.push(resolve));
        return inner.commit(...args);
      },
    };
    const { registry, catalog, clock } = await startedRegistry({ store });
    const id = await create(registry, TTL);
    holding = true;
    const write = registry.kv.write(
      { verb: 'lock', key: 'k', value: Buffer.from('v'), flags: '0', index: 0, session: id },
      CAUSE,
    );
    await clock.advanceAsync(20_000);
    await registry.sessions.renew(id);
    holding = false;
    for (const release of held) release();
    expect(await write).toBe(true);
    await settle();
    expect(catalog.sessions.get(id).value).toBeDefined();
    expect(catalog.kv.entry('k').value).toMatchObject({ session: id });
  });

  test('leaves no timer when the registry stops', async () => {
    const { registry, clock } = await holding(TTL);
    expect(clock.pending).toBe(1);
    await registry.stop(clock.now() + 1000);
    expect(clock.pending).toBe(0);
  });
});
