import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../../src/registry/stores/memory.ts';
import { openSqliteStore } from '../../../src/registry/stores/sqlite.ts';
import { type ConsulApiUnderTest, startConsulApi } from '../../helpers/consul-api.ts';
import { recordedLog } from '../../helpers/registry.ts';

const { log, lines } = recordedLog();
let consul: ConsulApiUnderTest;
beforeEach(async () => {
  consul = await startConsulApi({ log });
});
afterEach(() => consul.close());

async function save(from: ConsulApiUnderTest) {
  const answer = await fetch(`${from.base}/v1/snapshot`);
  return { answer, archive: Buffer.from(await answer.arrayBuffer()) };
}

async function restore(to: ConsulApiUnderTest, archive: Uint8Array<ArrayBuffer>) {
  const answer = await fetch(`${to.base}/v1/snapshot`, { method: 'PUT', body: archive });
  return { status: answer.status, text: await answer.text() };
}

describe('/v1/snapshot', () => {
  test('what was saved comes back, here and in another registry', async () => {
    await consul.call('PUT', '/v1/agent/service/register', { Name: 'web', Port: 80, Check: { TTL: '1m' } });
    await consul.call('PUT', '/v1/kv/a/b', 'value');
    const { answer, archive } = await save(consul);
    expect(answer.headers.get('content-type')).toBe('application/x-gzip');
    expect(Number(answer.headers.get('x-consul-index'))).toBe(consul.registry.catalog.index);
    await consul.call('DELETE', '/v1/kv/a/b');
    await consul.call('PUT', '/v1/agent/service/deregister/web');
    expect(await restore(consul, archive)).toEqual({ status: 200, text: '' });
    expect((await consul.call('GET', '/v1/kv/a/b?raw')).text).toBe('value');
    expect(lines.map(({ message }) => message)).toContain('registry restored from a snapshot');

    const other = await startConsulApi();
    try {
      expect((await restore(other, archive)).status).toBe(200);
      expect((await other.call('GET', '/v1/agent/services')).json).toMatchObject({ web: { Port: 80 } });
      expect((await other.call('GET', '/v1/kv/a/b?raw')).text).toBe('value');
      await other.call('PUT', '/v1/agent/check/pass/service:web');
      expect((await other.call('GET', '/v1/health/service/web?passing')).json).toHaveLength(1);
    } finally {
      await other.close();
    }
  });

  test('a watcher of what is restored wakes, with a later index', async () => {
    await consul.call('PUT', '/v1/kv/key', 'old');
    const { archive } = await save(consul);
    await consul.call('PUT', '/v1/kv/key', 'new');
    const index = Number((await consul.call('GET', '/v1/kv/key')).headers.get('x-consul-index'));
    const waiting = consul.call('GET', `/v1/kv/key?raw&index=${index}`);
    await restore(consul, archive);
    const woken = await waiting;
    expect(woken.text).toBe('old');
    expect(Number(woken.headers.get('x-consul-index'))).toBeGreaterThan(index);
  });

  test('what cannot be restored is refused, and changes nothing', async () => {
    await consul.call('PUT', '/v1/kv/key', 'value');
    const { archive } = await save(consul);
    const { index } = consul.registry.catalog;
    const half = Buffer.from(archive.subarray(0, archive.length / 2));
    for (const wrong of [Buffer.from('no archive'), Buffer.alloc(0), half]) {
      const { status, text } = await restore(consul, wrong);
      expect(status).toBe(400);
      expect(text).toMatch(/^cannot be restored: /);
    }
    expect(consul.registry.catalog.index).toBe(index);
    expect((await consul.call('GET', '/v1/snapshot?dc=other')).text).toBe('No path to datacenter');
    expect((await consul.call('POST', '/v1/snapshot')).status).toBe(405);
  });

  test('takes more than other requests may bring', async () => {
    const large = Buffer.alloc(1024 * 1024);
    expect((await restore(consul, large)).status).toBe(400);
  });
});

describe('a commit at a later index', () => {
  const node = { id: '', node: 'n', address: '', datacenter: 'dc1', taggedAddresses: null, meta: null };
  const cause = { by: 'test', what: 'test' };
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vane-snapshot-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test.each([
    ['memory', createMemoryStore],
    ['sqlite', () => openSqliteStore(join(folder, 'registry.db'))],
  ])('is never followed by an earlier one: %s', async (_kind, open) => {
    const store = open();
    await store.load();
    expect(await store.commit([{ op: 'put-node', node }], cause, 5_000_000)).toBe(5_000_000);
    expect(await store.commit([{ op: 'delete-node', node: 'n' }], cause, 10)).toBe(5_000_001);
    await store.close();
  });

  test('is in the file', async () => {
    const file = join(folder, 'registry.db');
    const store = openSqliteStore(file);
    await store.load();
    await store.commit([{ op: 'put-node', node }], cause, 5_000_000);
    await store.close();
    const again = openSqliteStore(file);
    expect(await again.load()).toMatchObject({ index: 5_000_000, nodes: [{ modifyIndex: 5_000_000 }] });
    await again.close();
  });
});
