import { describe, expect, test } from 'vitest';
import { type AppUnderTest, startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';
import { heardFrom, namedTcp } from '../helpers/named-tcp.ts';
import { startStickySite } from '../helpers/sticky-site.ts';

const CONSISTENT = 'hash-type: consistent';

describe.each(['direct', 'compat'])('the %s lane', (lane) => {
  test.each([
    ['balance: hdr(x-user)', (key: string) => ['/', { 'x-user': key }] as const],
    ['balance: url_param user', (key: string) => [`/?user=${key}`, {}] as const],
    ['balance: uri', (key: string) => [`/${key}`, {}] as const],
  ])('with %s a key moves only when its server leaves, and returns with it', async (balance, request) => {
    const site = await startStickySite(`${balance}\n${CONSISTENT}`, lane);
    const ids = ['web-1', 'web-2', 'web-3', 'web-4'];
    for (const id of ids) await site.join(id);
    const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`);
    const homes = async () => {
      const found = new Map<string, string>();
      for (const key of keys) {
        const { status, body } = await site.ask(...request(key));
        expect(status).toBe(200);
        found.set(key, body.split('|')[0] ?? '');
      }
      return found;
    };
    const all = (count: number) =>
      eventually(async () => {
        const found = await homes();
        expect(new Set(found.values()).size).toBe(count);
        return found;
      });
    const before = await all(4);
    expect(await homes()).toEqual(before);
    await site.leave('web-2');
    const without = await all(3);
    for (const [key, home] of before) {
      if (home === 'web-2') expect(without.get(key)).not.toBe('web-2');
      else expect(without.get(key)).toBe(home);
    }
    // At another port: what counts is its name.
    await site.join('web-2');
    expect(await all(4)).toEqual(before);
  });
});

/** An instance that says its id to whoever connects. */
async function joinTcp(app: AppUnderTest, id: string): Promise<void> {
  await app.register({ ID: id, Name: 'db', Address: '127.0.0.1', Port: await namedTcp(id) });
}

test('in mode tcp a client moves only when its server leaves, and returns with it', async () => {
  await using app = await startApp(`
frontends: { db: { mode: tcp, bind: "127.0.0.1:0", default_backend: db } }
backends:
  db: { mode: tcp, balance: source, hash-type: consistent, servers: [db.service.consul] }
`);
  for (const id of ['db-1', 'db-2', 'db-3']) await joinTcp(app, id);
  const port = Number(new URL(app.frontend('db')).port);
  const clients = Array.from({ length: 24 }, (_, i) => `127.0.1.${i + 1}`);
  const all = (count: number) =>
    eventually(async () => {
      const found = new Map<string, string>();
      for (const client of clients) found.set(client, await heardFrom(port, client));
      expect(new Set(found.values()).size).toBe(count);
      expect([...found.values()]).not.toContain('');
      return found;
    });
  const before = await all(3);
  expect(await all(3)).toEqual(before);
  await app.deregister('db-2');
  const without = await all(2);
  for (const [client, home] of before) if (home !== 'db-2') expect(without.get(client)).toBe(home);
  await joinTcp(app, 'db-2');
  expect(await all(3)).toEqual(before);
});
