import { describe, expect, test } from 'vitest';
import type { KvWrite } from '../../../src/registry/kv-plans.ts';
import type { Registry, RegistryOptions } from '../../../src/registry/registry.ts';
import type { RegistryStore } from '../../../src/registry/store.ts';
import { createMemoryStore } from '../../../src/registry/stores/memory.ts';
import { settle } from '../../helpers/fake-clock.ts';
import { startedRegistry } from '../../helpers/registry.ts';
import { CAUSE, sessionRequest } from '../../helpers/registry-rows.ts';

function write(registry: Registry, request: Partial<KvWrite> & Pick<KvWrite, 'verb' | 'key'>, value = '') {
  const rest = { value: Buffer.from(value), flags: '0', index: 0, session: '' };
  return registry.kv.write({ ...rest, ...request }, CAUSE);
}

const session = (registry: Registry, more: Parameters<typeof sessionRequest>[1] = {}) =>
  registry.sessions.create(sessionRequest('lb-1', more), CAUSE);

async function started(options: Partial<RegistryOptions> = {}) {
  const { registry, catalog, ...rest } = await startedRegistry(options);
  const entry = (key: string) => {
    const { value } = catalog.kv.entry(key);
    return value && { ...value, value: Buffer.from(value.value).toString() };
  };
  return { registry, catalog, entry, ...rest };
}

describe('set', () => {
  test('writes a key, and commits nothing when that changes nothing', async () => {
    const { registry, catalog, entry } = await started();
    expect(await write(registry, { verb: 'set', key: 'a', flags: '42' }, 'x')).toBe(true);
    const { index } = catalog;
    expect(entry('a')).toEqual({
      ...{ key: 'a', value: 'x', flags: '42', lockIndex: 0, session: '' },
      ...{ createIndex: index, modifyIndex: index },
    });
    expect(await write(registry, { verb: 'set', key: 'a', flags: '42' }, 'x')).toBe(true);
    expect(catalog.index).toBe(index);
    await write(registry, { verb: 'set', key: 'a' }, 'x');
    expect(entry('a')).toMatchObject({ flags: '0', createIndex: index, modifyIndex: index + 1 });
  });

  test('tells keys apart by case, and refuses one without a name', async () => {
    const { registry, entry } = await started();
    await write(registry, { verb: 'set', key: 'a' }, 'small');
    await write(registry, { verb: 'set', key: 'A' }, 'large');
    expect([entry('a')?.value, entry('A')?.value]).toEqual(['small', 'large']);
    await expect(write(registry, { verb: 'set', key: '' })).rejects.toThrow('Must provide key');
  });

  test('leaves a lock with its holder, and forgets how often there was one', async () => {
    const { registry, entry } = await started();
    const id = await session(registry);
    await write(registry, { verb: 'lock', key: 'a', session: id }, 'x');
    await write(registry, { verb: 'set', key: 'a' }, 'y');
    expect(entry('a')).toMatchObject({ value: 'y', session: id, lockIndex: 0 });
  });
});

describe('cas', () => {
  test('with 0 creates only, with an index changes only what was last written then', async () => {
    const { registry, entry } = await started();
    expect(await write(registry, { verb: 'cas', key: 'a', index: 7 }, 'x')).toBe(false);
    expect(await write(registry, { verb: 'cas', key: 'a', index: 0 }, 'x')).toBe(true);
    expect(await write(registry, { verb: 'cas', key: 'a', index: 0 }, 'y')).toBe(false);
    const index = entry('a')?.modifyIndex ?? 0;
    expect(await write(registry, { verb: 'cas', key: 'a', index: index - 1 }, 'y')).toBe(false);
    expect(await write(registry, { verb: 'cas', key: 'a', index }, 'y')).toBe(true);
    expect(entry('a')?.value).toBe('y');
  });

  test('of many at once lets one through', async () => {
    const { registry, entry } = await started();
    await write(registry, { verb: 'set', key: 'a' }, 'x');
    const index = entry('a')?.modifyIndex ?? 0;
    const all = Array.from({ length: 20 }, (_, i) =>
      write(registry, { verb: 'cas', key: 'a', index }, String(i)),
    );
    expect((await Promise.all(all)).filter((done) => done)).toHaveLength(1);
  });
});

describe('delete', () => {
  test('of a key, of one that is not there, and of one last written then', async () => {
    const { registry, catalog, entry } = await started();
    await write(registry, { verb: 'set', key: 'a' });
    const index = entry('a')?.modifyIndex ?? 0;
    expect(await write(registry, { verb: 'delete-cas', key: 'a', index: index + 1 })).toBe(false);
    expect(await write(registry, { verb: 'delete-cas', key: 'a', index: 0 })).toBe(false);
    expect(await write(registry, { verb: 'delete-cas', key: 'a', index })).toBe(true);
    expect(entry('a')).toBeUndefined();
    const { index: last } = catalog;
    expect(await write(registry, { verb: 'delete', key: 'a' })).toBe(true);
    expect(await write(registry, { verb: 'delete-cas', key: 'a', index })).toBe(true);
    expect(await write(registry, { verb: 'delete-tree', key: 'a' })).toBe(true);
    expect(catalog.index).toBe(last);
  });

  test('of a tree takes what begins with the prefix, in one commit', async () => {
    const { registry, catalog } = await started();
    for (const key of ['a', 'a/1', 'a/2', 'ab', 'b']) await write(registry, { verb: 'set', key });
    const { index } = catalog;
    await write(registry, { verb: 'delete-tree', key: 'a/' });
    expect(catalog.index).toBe(index + 1);
    expect(catalog.kv.under('').value.map(({ key }) => key)).toEqual(['a', 'ab', 'b']);
    await write(registry, { verb: 'delete-tree', key: '' });
    expect(catalog.kv.under('').value).toEqual([]);
  });

  test('of a tree waits for the writes under way and comes before those after it', async () => {
    const { registry, catalog } = await started();
    await write(registry, { verb: 'set', key: 'a/1' });
    const index = catalog.kv.entry('a/1').value?.modifyIndex ?? 0;
    const answers = await Promise.all([
      write(registry, { verb: 'set', key: 'a/2' }),
      write(registry, { verb: 'delete-tree', key: 'a/' }),
      write(registry, { verb: 'cas', key: 'a/1', index }),
    ]);
    expect(answers).toEqual([true, true, false]);
    expect(catalog.kv.under('').value).toEqual([]);
  });
});

describe('lock', () => {
  test('is held by one session until it unlocks, and counts how often', async () => {
    const { registry, entry } = await started();
    const [s1, s2] = [await session(registry), await session(registry)];
    expect(await write(registry, { verb: 'lock', key: 'a', session: s1 }, '1')).toBe(true);
    expect(entry('a')).toMatchObject({ session: s1, lockIndex: 1, value: '1' });
    expect(await write(registry, { verb: 'lock', key: 'a', session: s2 }, '2')).toBe(false);
    expect(await write(registry, { verb: 'unlock', key: 'a', session: s2 }, '2')).toBe(false);
    expect(await write(registry, { verb: 'lock', key: 'a', session: s1 }, 'again')).toBe(true);
    expect(entry('a')).toMatchObject({ session: s1, lockIndex: 1, value: 'again' });
    expect(await write(registry, { verb: 'unlock', key: 'a', session: s1 }, 'left')).toBe(true);
    expect(entry('a')).toMatchObject({ session: '', lockIndex: 1, value: 'left' });
    expect(await write(registry, { verb: 'lock', key: 'a', session: s2.toUpperCase() }, '2')).toBe(true);
    expect(entry('a')).toMatchObject({ session: s2, lockIndex: 2, value: '2' });
  });

  test.each([
    ['', 'missing session'],
    ['nope', 'failed session lookup: index error: UUID must be 36 characters'],
    ['-----000-0000-0000-0000-000000000000', 'UUID should have maximum of 4 "-"; got 9'],
    ['0000-0000-0000-0000-0000000000000000', 'invalid session "0000-0000-0000-0000-0000000000000000"'],
    ['00000000-0000-0000-000000000000000000', 'UUID must be 36 characters'],
    ['00000000-0000-0000-0000000000000-0z0', `invalid byte: U+007A 'z'`],
    ['00000000-0000-0000-0000-000000000000', 'invalid session "00000000-0000-0000-0000-000000000000"'],
  ])('of session %j is refused', async (id, why) => {
    const { registry, entry } = await started();
    await expect(write(registry, { verb: 'lock', key: 'a', session: id })).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      message: expect.stringContaining(why),
    });
    expect(entry('a')).toBeUndefined();
  });

  test('cannot be had of a key for the lock delay of the session that lost it', async () => {
    const { registry, clock } = await started();
    const s1 = await session(registry, { lockDelay: 15_000 });
    const s2 = await session(registry);
    const take = (key: string) => write(registry, { verb: 'lock', key, session: s2 });
    await write(registry, { verb: 'lock', key: 'a', session: s1 });
    await write(registry, { verb: 'lock', key: 'given back', session: s1 });
    await write(registry, { verb: 'unlock', key: 'given back', session: s1 });
    await registry.sessions.destroy(s1, CAUSE);
    expect(await take('given back')).toBe(true);
    clock.advance(14_999);
    expect(await take('a')).toBe(false);
    expect(await write(registry, { verb: 'set', key: 'a' }, 'unlocked writes go on')).toBe(true);
    clock.advance(1);
    expect(await take('a')).toBe(true);
  });

  test('is delayed for a minute at most, and for a deleted key too', async () => {
    const { registry, clock, entry } = await started();
    const s1 = await session(registry, { lockDelay: 3_600_000, behavior: 'delete' });
    const s2 = await session(registry);
    await write(registry, { verb: 'lock', key: 'a', session: s1 });
    await registry.sessions.destroy(s1, CAUSE);
    expect(entry('a')).toBeUndefined();
    clock.advance(59_999);
    expect(await write(registry, { verb: 'lock', key: 'a', session: s2 })).toBe(false);
    clock.advance(1);
    expect(await write(registry, { verb: 'lock', key: 'a', session: s2 })).toBe(true);
  });
});

describe('the room there is', () => {
  test('for rows counts keys and sessions, and what is there can still be changed', async () => {
    // The own node has three: itself, its service and serfHealth.
    const { registry } = await started({ maxRows: 5 });
    const s1 = await session(registry);
    await write(registry, { verb: 'set', key: 'a' });
    const full = 'The registry is full: it holds at most 5 rows';
    await expect(write(registry, { verb: 'set', key: 'b' })).rejects.toThrow(full);
    await expect(session(registry)).rejects.toThrow(full);
    expect(await write(registry, { verb: 'set', key: 'a' }, 'longer')).toBe(true);
    await registry.sessions.destroy(s1, CAUSE);
    expect(await write(registry, { verb: 'set', key: 'b' })).toBe(true);
  });

  test('for bytes counts keys and values, those under way too', async () => {
    const inner = createMemoryStore();
    const commit: RegistryStore['commit'] = async (...args) => {
      await settle();
      return inner.commit(...args);
    };
    const { registry, catalog } = await started({ maxKvBytes: 100, store: { ...inner, commit } });
    const full = { code: 'REGISTRY_INVALID', message: expect.stringContaining('at most 100 bytes') };
    const writes = await Promise.allSettled(
      ['a', 'b', 'c'].map((key) => write(registry, { verb: 'set', key }, 'x'.repeat(49))),
    );
    expect(writes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(writes[2]).toMatchObject({ reason: full });
    expect(catalog.kv.bytes).toBe(100);
    await expect(write(registry, { verb: 'set', key: 'a' }, 'x'.repeat(50))).rejects.toMatchObject(full);
    expect(await write(registry, { verb: 'set', key: 'a' }, 'x'.repeat(48))).toBe(true);
    expect(await write(registry, { verb: 'set', key: 'c' })).toBe(true);
  });
});
