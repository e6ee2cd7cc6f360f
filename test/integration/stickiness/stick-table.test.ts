import { describe, expect, test } from 'vitest';
import { startApp } from '../../helpers/app.ts';
import { eventually } from '../../helpers/eventually.ts';
import { heardFrom, namedTcp } from '../../helpers/named-tcp.ts';
import { startStickySite, stickyConfig } from '../../helpers/sticky-site.ts';

const TABLE = 'stick-table: type string len 32 size 1k expire 10m';
const BY_USER = `${TABLE}\nstick: on hdr(x-user)`;

describe.each(['direct', 'compat'])('the %s lane', (lane) => {
  test('brings clients back to the server that a table has for them, over a reload and a return', async () => {
    const site = await startStickySite(BY_USER, lane);
    for (const id of ['web-1', 'web-2', 'web-3']) await site.join(id);
    await site.servers(3);
    const serverOf = async (user: string) =>
      (await site.ask('/', { 'x-user': user })).body.split('|')[0] ?? '';
    const users = ['ann', 'bob', 'eve', 'joe', 'kim', 'lea'];
    const homes = new Map<string, string>();
    for (const user of users) homes.set(user, await serverOf(user));
    expect(new Set(homes.values()).size).toBe(3);
    const expectHome = async () => {
      for (const user of users) expect(await serverOf(user)).toBe(homes.get(user));
    };
    await expectHome();
    await site.app.reload(stickyConfig(`${BY_USER}\nretries: 2`, lane));
    await expectHome();
    await site.leave('web-2');
    await site.servers(2);
    // Nobody of its clients has asked meanwhile: they are where they were when it is back, at another port.
    await site.join('web-2');
    await site.servers(3);
    await expectHome();
    await site.leave('web-2');
    await site.servers(2);
    for (const user of users) {
      const now = await serverOf(user);
      if (homes.get(user) !== 'web-2') expect(now).toBe(homes.get(user));
      homes.set(user, now);
    }
    await expectHome();
  });

  test('remembers what a server answers, where the condition holds', async () => {
    const site = await startStickySite(
      `${TABLE}\nstick: ["match cookie(SID) if { path_beg /app }", "store-response set-cookie(SID)"]`,
      lane,
    );
    for (const id of ['web-1', 'web-2']) {
      await site.join(id, (request, response) => {
        if (request.url === '/app/login') response.setHeader('set-cookie', `SID=${id}-session; Path=/`);
        response.end(id);
      });
    }
    await site.servers(2);
    const { body, jar } = await site.ask('/app/login');
    expect(jar).toBe(`SID=${body}-session`);
    for (let i = 0; i < 4; i++) expect((await site.ask('/app/x', { cookie: jar })).body).toBe(body);
    const others = new Set<string>();
    for (let i = 0; i < 4; i++) others.add((await site.ask('/else', { cookie: jar })).body);
    expect(others.size).toBe(2);
  });

  test('requests that any server may serve are nobody’s', async () => {
    const site = await startStickySite(`${BY_USER}\nignore-persist: if { path_beg /static/ }`, lane);
    for (const id of ['web-1', 'web-2']) await site.join(id);
    await site.servers(2);
    const seen = new Set<string>();
    for (let i = 0; i < 4; i++) seen.add((await site.ask('/static/x', { 'x-user': 'ann' })).body);
    expect(seen.size).toBe(2);
  });
});

test('connections in mode tcp come back by the address of their client', async () => {
  const ports = await Promise.all(['a', 'b', 'c'].map(namedTcp));
  const servers = ports.map((port) => `"127.0.0.1:${port}"`).join(', ');
  await using app = await startApp(`
frontends: { db: { mode: tcp, bind: "127.0.0.1:0", default_backend: db } }
backends:
  db: { mode: tcp, stick-table: type ip size 100 expire 1m, stick: on src, servers: [${servers}] }
`);
  const port = Number(new URL(app.frontend('db')).port);
  const clients = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
  const homes = new Map<string, string>();
  await eventually(async () => expect(await heardFrom(port, '127.0.0.9')).not.toBe(''));
  for (const client of clients) homes.set(client, await heardFrom(port, client));
  expect(new Set(homes.values()).size).toBe(3);
  for (let i = 0; i < 3; i++) {
    for (const client of clients) expect(await heardFrom(port, client)).toBe(homes.get(client));
  }
});
