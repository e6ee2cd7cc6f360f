import { describe, expect, test } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { startStickySite, stickyConfig } from '../../helpers/sticky-site.ts';

const INSERT = 'cookie: SRV insert indirect nocache httponly';

describe.each(['direct', 'compat'])('the %s lane', (lane) => {
  test('brings a client back to its server, and tells servers nothing of it', async () => {
    const site = await startStickySite(INSERT, lane);
    for (const id of ['web-1', 'web-2', 'web-3']) await site.join(id);
    await site.servers(3);
    const first = await site.ask('/', { cookie: 'a=1' });
    expect(first.cookies).toEqual([expect.stringMatching(/^SRV=[0-9a-f]{16}; path=\/; HttpOnly$/)]);
    expect(first.headers.get('cache-control')).toBe('private');
    const [id] = first.body.split('|');
    for (let i = 0; i < 9; i++) {
      const next = await site.ask('/', { cookie: `a=1; ${first.jar}; b=2` });
      expect(next).toMatchObject({ status: 200, body: `${id}|a=1; b=2`, cookies: [] });
      expect(next.headers.get('cache-control')).toBeNull();
    }
    const letters = site.app.access.flatMap((entry) =>
      entry.mode === 'http' && entry.request?.target === '/' ? [entry.cookies] : [],
    );
    expect(letters).toEqual(['NI', ...Array(9).fill('VN')]);
  });

  test('a client whose server is gone gets another one, and comes back to the first with its old cookie', async () => {
    const site = await startStickySite(INSERT, lane);
    await site.join('web-1');
    await site.servers(1);
    const { jar } = await site.ask();
    await site.join('web-2');
    await site.servers(2);
    await site.leave('web-1');
    await site.servers(1);
    const moved = await site.ask('/', { cookie: jar });
    expect(moved.body).toBe('web-2|');
    expect(moved.cookies).toHaveLength(1);
    expect(moved.jar).not.toBe(jar);
    // Under another port: what it is known by is its name.
    await site.join('web-1');
    await site.servers(2);
    for (let i = 0; i < 6; i++) expect((await site.ask('/', { cookie: jar })).body).toBe('web-1|');
    for (let i = 0; i < 6; i++) expect((await site.ask('/', { cookie: moved.jar })).body).toBe('web-2|');
  });

  test('a client whose server fails is served by another at once, which it keeps', async () => {
    const site = await startStickySite(`${INSERT}\nretries: 2`, lane);
    const web = await site.join('web-1');
    await site.servers(1);
    const { jar } = await site.ask();
    await site.join('web-2');
    await site.servers(2);
    await web[Symbol.asyncDispose]();
    const moved = await site.ask('/', { cookie: jar });
    expect(moved).toMatchObject({ status: 200, body: 'web-2|' });
    expect((await site.ask('/', { cookie: moved.jar })).body).toBe('web-2|');
    const entry = site.app.access.find(({ redispatched }) => redispatched);
    expect(entry).toMatchObject({ cookies: 'DI', server: 'web-2' });
  });

  test('a reload keeps who belongs where, with another name of the cookie too', async () => {
    const site = await startStickySite(INSERT, lane);
    for (const id of ['web-1', 'web-2']) await site.join(id);
    await site.servers(2);
    const { jar, body } = await site.ask();
    await site.app.reload(stickyConfig('cookie: OTHER insert indirect', lane));
    for (let i = 0; i < 4; i++) {
      const { body: again } = await site.ask('/', { cookie: jar.replace('SRV', 'OTHER') });
      expect(again.split('|')[0]).toBe(body.split('|')[0]);
    }
    await site.app.reload(stickyConfig('balance: roundrobin', lane));
    expect((await site.ask()).cookies).toEqual([]);
  });

  test('a server that an operator drains keeps its clients and gets no others; one in maintenance has none', async () => {
    const site = await startStickySite(INSERT, lane, ', drain: 200ms');
    for (const id of ['web-1', 'web-2']) await site.join(id);
    await site.servers(2);
    const first = await site.ask();
    const [id = ''] = first.body.split('|');
    const operate = async (state: string) => {
      const answer = await fetch(`${site.app.stats}/server?backend=web&server=${id}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ state }),
      });
      expect(answer.status, await answer.text()).toBe(200);
    };
    await operate('drain');
    await eventually(async () => {
      for (let i = 0; i < 4; i++) expect((await site.ask()).body).not.toContain(id);
    });
    // Longer than a drain without clients takes.
    const until = performance.now() + 500;
    await eventually(async () => {
      expect((await site.ask('/', { cookie: first.jar })).body).toBe(`${id}|`);
      expect(performance.now()).toBeGreaterThan(until);
    });
    await operate('maint');
    await eventually(async () => {
      const moved = await site.ask('/', { cookie: first.jar });
      expect(moved.body).not.toContain(id);
      expect(moved.status).toBe(200);
    });
    await operate('drain');
    await eventually(async () => expect((await site.ask('/', { cookie: first.jar })).body).toBe(`${id}|`));
    await operate('ready');
    await site.servers(2);
  });

  test('a client waits for its server, though another one is free', async () => {
    const site = await startStickySite(INSERT, lane, ', maxconn: 1');
    const held: (() => void)[] = [];
    for (const id of ['web-1', 'web-2']) {
      await site.join(id, (request, response) => {
        if (request.url === '/slow') held.push(() => response.end(id));
        else response.end(id);
      });
    }
    await site.servers(2);
    const { jar, body } = await site.ask();
    const slow = site.ask('/slow', { cookie: jar });
    await eventually(() => expect(held).toHaveLength(1));
    const waiting = site.ask('/', { cookie: jar });
    // Another client is served meanwhile.
    expect((await site.ask()).body).not.toBe(body);
    held[0]?.();
    expect((await slow).body).toBe(body);
    expect((await waiting).body).toBe(body);
  });

  test('a cookie put before the one of the server, or in its place, is taken off again', async () => {
    const site = await startStickySite('cookie: SID prefix', lane);
    for (const id of ['web-1', 'web-2']) {
      await site.join(id, (request, response) => {
        if (!request.headers.cookie) response.setHeader('set-cookie', 'SID=s3cret; path=/app');
        response.end(`${id}|${request.headers.cookie ?? ''}`);
      });
    }
    await site.servers(2);
    const first = await site.ask();
    expect(first.cookies).toEqual([expect.stringMatching(/^SID=[0-9a-f]{16}~s3cret; path=\/app$/)]);
    const [id] = first.body.split('|');
    for (let i = 0; i < 4; i++) {
      expect((await site.ask('/', { cookie: first.jar })).body).toBe(`${id}|SID=s3cret`);
    }
    await site.app.reload(stickyConfig('cookie: SID rewrite', lane));
    const rewritten = await site.ask();
    expect(rewritten.cookies).toEqual([expect.stringMatching(/^SID=[0-9a-f]{16}; path=\/app$/)]);
    const [other] = rewritten.body.split('|');
    for (let i = 0; i < 4; i++) {
      expect((await site.ask('/', { cookie: rewritten.jar })).body).toBe(`${other}|${rewritten.jar}`);
    }
  });
});
