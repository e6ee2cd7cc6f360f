import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from '../../src/registry/stores/sqlite.ts';
import { type AppUnderTest, startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';
import { startWeb } from '../helpers/web.ts';

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'vane-unwritable-'));
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const WEB = `
frontends: { www: { bind: "127.0.0.1:0", default_backend: web } }
backends: { web: { servers: [{ domain: web.service.consul, interval: 1h }] } }
`;

/**
 * A registry whose file fails as on a full disk while the check `disk` is critical: SQLite undoes the transaction
 * and reports an error. The check is switched by its TTL endpoints, like any other.
 */
async function fileWithSwitch(): Promise<void> {
  const file = join(dataDir, 'registry.db');
  const store = openSqliteStore(file);
  await store.load();
  await store.close();
  const db = new DatabaseSync(file);
  db.exec(`
    CREATE TRIGGER full BEFORE UPDATE ON last_commit
    WHEN EXISTS (SELECT 1 FROM "check" WHERE id = 'disk' AND body LIKE '%"status":"critical"%')
    BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`);
  db.close();
}

async function report(vane: AppUnderTest, verdict: 'pass' | 'fail', check: string): Promise<void> {
  const answer = await fetch(`${vane.registry}/v1/agent/check/${verdict}/${check}`, { method: 'PUT' });
  expect(answer.status).toBe(200);
}

async function passing(vane: AppUnderTest): Promise<string[]> {
  const answer = await fetch(`${vane.registry}/v1/health/service/web?passing`);
  const entries = (await answer.json()) as { Service: { ID: string } }[];
  return entries.map(({ Service }) => Service.ID);
}

async function series(vane: AppUnderTest, name: string): Promise<number> {
  const text = await (await fetch(`${vane.stats}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

const instance = (id: string, port: number) => {
  const Check = { CheckID: id, TTL: '1h', Status: 'passing' };
  return { Name: 'web', ID: id, Address: '127.0.0.1', Port: port, Check };
};

test('a disk that is full keeps no dead instance in rotation, and is told of', async () => {
  await fileWithSwitch();
  await using a = await startWeb('a');
  await using b = await startWeb('b');
  {
    await using vane = await startApp(WEB, dataDir);
    const disk = { CheckID: 'disk', TTL: '1h', Status: 'passing' };
    await vane.register({ Name: 'disk', Check: disk });
    await vane.register(instance('a', a.port));
    await vane.register(instance('b', b.port));
    expect(await series(vane, 'vane_registry_store_up')).toBe(1);

    await report(vane, 'fail', 'disk');
    await report(vane, 'fail', 'a');
    expect(await passing(vane)).toEqual(['b']);
    for (let i = 0; i < 4; i++) expect(await (await fetch(vane.frontend('www'))).text()).toBe('b');
    await expect(vane.register(instance('c', a.port))).rejects.toThrow(/500 .*disk is full/);
    await expect(vane.deregister('b')).rejects.toThrow(/500 .*disk is full/);
    expect(await passing(vane)).toEqual(['b']);
    expect(await series(vane, 'vane_registry_store_up')).toBe(0);
    expect(await series(vane, 'vane_registry_store_failures_total')).toBeGreaterThanOrEqual(4);
    expect((await fetch(`${vane.stats}/readyz`)).status).toBe(200);
    const told = vane.lines.filter(({ message }) => message.startsWith('registry is not stored'));
    expect(told).toMatchObject([{ level: 'error', fields: { error: expect.stringContaining(dataDir) } }]);

    await report(vane, 'pass', 'disk');
    await eventually(async () => expect(await series(vane, 'vane_registry_store_up')).toBe(1));
    expect(vane.lines.map(({ message }) => message)).toContain('registry is stored again');
    await vane.register(instance('c', a.port));
  }
  await using vane = await startApp(WEB, dataDir);
  expect((await passing(vane)).sort()).toEqual(['b', 'c']);
});
