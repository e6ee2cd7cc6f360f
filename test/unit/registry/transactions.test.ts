import { describe, expect, test } from 'vitest';
import type { RegistryStore } from '../../../src/registry/store.ts';
import { createMemoryStore } from '../../../src/registry/stores/memory.ts';
import type { TxnOp } from '../../../src/registry/txn-ops.ts';
import { settle } from '../../helpers/fake-clock.ts';
import { startedRegistry } from '../../helpers/registry.ts';
import { CAUSE, checkRow, nodeRow, sessionRequest } from '../../helpers/registry-rows.ts';

const kv = (verb: string, key: string, more: Partial<Extract<TxnOp, { kind: 'kv' }>> = {}): TxnOp => ({
  ...{ kind: 'kv', verb, key, value: Buffer.alloc(0), flags: '0', index: 0, session: '' },
  ...more,
});

const MIB = 1024 * 1024;

describe('a transaction', () => {
  test('is one commit, and none when it changes nothing or fails', async () => {
    const { registry, catalog, store } = await startedRegistry();
    const commits: number[] = [];
    store.onCommitted(({ changes }) => commits.push(changes.length));
    await registry.transactions.run([kv('set', 'a'), kv('set', 'b'), kv('delete', 'a')], CAUSE);
    expect(commits).toEqual([3]);
    const { rows } = await registry.transactions.run([kv('set', 'b'), kv('delete-tree', 'a')], CAUSE);
    expect(rows).toMatchObject([{ entry: { key: 'b', modifyIndex: catalog.index } }]);
    await registry.transactions.run([kv('set', 'c'), kv('get', 'a')], CAUSE);
    expect(commits).toEqual([3]);
    expect(catalog.kv.under('').value.map(({ key }) => key)).toEqual(['b']);
  });

  test('leaves the watchers of a failed attempt asleep', async () => {
    const { registry, catalog } = await startedRegistry();
    let woken = 0;
    catalog.watch({ kind: 'kv', key: 'a' }, () => woken++);
    await registry.transactions.run([kv('set', 'a'), kv('get', 'none')], CAUSE);
    expect(woken).toBe(0);
    await registry.transactions.run([kv('set', 'a')], CAUSE);
    expect(woken).toBe(1);
  });

  test('ends the sessions of a node that it deletes, whatever keys they hold', async () => {
    const { registry, catalog } = await startedRegistry();
    const node = nodeRow('ext');
    await registry.transactions.run(
      [
        { kind: 'node', verb: 'set', index: 0, node },
        { kind: 'check', verb: 'set', index: 0, node: 'EXT', check: checkRow('ext', 'c') },
      ],
      CAUSE,
    );
    const held = await registry.sessions.create(sessionRequest('ext', { behavior: 'delete' }), CAUSE);
    const mine = await registry.sessions.create(sessionRequest('lb-1'), CAUSE);
    await registry.transactions.run([kv('lock', 'k', { session: held })], CAUSE);
    const ops = [
      { kind: 'node' as const, verb: 'delete', index: 0, node },
      kv('check-not-exists', 'k'),
      kv('lock', 'k', { session: mine }),
    ];
    expect(await registry.transactions.run(ops, CAUSE)).toMatchObject({ errors: [] });
    expect(catalog.kv.entry('k').value).toMatchObject({ session: mine, lockIndex: 1 });
    expect(catalog.sessions.get(held).value).toBeUndefined();
  });

  test('counts for the room there is by what is left of it', async () => {
    const { registry } = await startedRegistry({ maxRows: 4, maxKvBytes: 10 });
    const set = (key: string, length: number) => kv('set', key, { value: Buffer.alloc(length) });
    await registry.transactions.run([set('a', 9), kv('delete', 'a'), set('b', 9)], CAUSE);
    await expect(registry.transactions.run([set('a', 0)], CAUSE)).rejects.toThrow('at most 4 rows');
    await expect(registry.transactions.run([set('b', 10)], CAUSE)).rejects.toThrow('at most 10 bytes');
    await registry.transactions.run([set('a', 9), kv('delete', 'b')], CAUSE);
  });

  test('does not answer with the whole store again and again', async () => {
    const { registry, catalog } = await startedRegistry();
    await registry.transactions.run([kv('set', 'k', { value: Buffer.alloc(33 * MIB) })], CAUSE);
    expect((await registry.transactions.run([kv('get-tree', 'k')], CAUSE)).rows).toHaveLength(1);
    const { index } = catalog;
    const ops = [kv('set', 'other'), kv('get', 'k'), kv('get-tree', 'k')];
    const { errors } = await registry.transactions.run(ops, CAUSE);
    expect(errors).toEqual([{ op: 2, what: 'more than 67108864 bytes of values are asked for' }]);
    expect(catalog.index).toBe(index);
  });
});

test('values that wait are bounded, and room is had again when they have been written', async () => {
  const inner = createMemoryStore();
  const commit: RegistryStore['commit'] = async (...args) => {
    await settle();
    return inner.commit(...args);
  };
  const { registry } = await startedRegistry({ store: { ...inner, commit }, maxKvBytes: 1024 * MIB });
  const value = Buffer.alloc(33 * MIB);
  const write = (key: string) =>
    registry.kv.write({ verb: 'set', key, value, flags: '0', index: 0, session: '' }, CAUSE);
  const [first, second, third] = await Promise.allSettled([
    write('a'),
    write('b'),
    registry.transactions.run([kv('set', 'c', { value })], CAUSE),
  ]);
  expect(first).toMatchObject({ status: 'fulfilled', value: true });
  for (const refused of [second, third]) {
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'STORE_FAILED' } });
  }
  expect(await write('b')).toBe(true);
});
