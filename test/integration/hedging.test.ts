import type { ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type AppUnderTest, startApp } from '../helpers/app.ts';
import { eventually } from '../helpers/eventually.ts';
import { startWeb } from '../helpers/web.ts';

/** A server that answers its name, or nothing until the test says so. */
async function startServer(name: string) {
  const held = new Set<ServerResponse>();
  const server = {
    port: 0,
    slow: false,
    /** Requests that came, by method. */
    methods: [] as string[],
    /** Requests that wait for their answer, and those whose connection was closed meanwhile. */
    held,
    broken: 0,
    release() {
      server.slow = false;
      for (const response of held) response.end(name);
    },
  };
  const web = await startWeb(({ method = '' }, response) => {
    server.methods.push(method);
    if (!server.slow) {
      response.end(name);
      return;
    }
    held.add(response);
    response.once('close', () => {
      held.delete(response);
      if (!response.writableFinished) server.broken++;
    });
  });
  onTestFinished(() => web[Symbol.asyncDispose]());
  server.port = web.port;
  return server;
}

/** Two servers whose answers are known to be quick. */
async function startSite(lane: string, backend = '') {
  const [a, b] = [await startServer('a'), await startServer('b')];
  const app = await startApp(`
frontends: { www: { bind: "127.0.0.1:0", default_backend: web, option: [httplog, "http-lane ${lane}"] } }
backends:
  web:
    hedge: after p50 min 200ms
    servers: ["127.0.0.1:${a.port}", "127.0.0.1:${b.port}"]
    ${backend}
`);
  onTestFinished(() => app[Symbol.asyncDispose]());
  const ask = async (method = 'GET') => (await fetch(app.frontend('www'), { method })).text();
  for (let i = 0; i < 12; i++) await ask();
  return { a, b, app, ask };
}

async function hedges({ stats }: AppUnderTest): Promise<{ readonly sent: number; readonly won: number }> {
  const text = await (await fetch(`${stats}/metrics`)).text();
  const read = (name: string) => Number(new RegExp(`^${name}\\{proxy="web"\\} (\\d+)`, 'm').exec(text)?.[1]);
  return { sent: read('vane_hedges_total'), won: read('vane_hedges_won_total') };
}

describe.each(['direct', 'compat'])('hedging in the %s lane', (lane) => {
  test('what a slow server has is answered by the other, and the slow one is left, which is not its fault', async () => {
    const { a, b, app, ask } = await startSite(lane, 'outlier: errors 1');
    const before = await hedges(app);
    a.slow = true;
    expect(await Promise.all([ask(), ask(), ask(), ask()])).toEqual(['b', 'b', 'b', 'b']);
    const entries = app.access.slice(-4).flatMap((entry) => (entry.mode === 'http' ? [entry] : []));
    expect(entries).toMatchObject(
      Array(4).fill({ server: `127.0.0.1:${b.port}`, status: 200, retries: 0, termination: '--' }),
    );
    // Two of the four had been given to the slow one; on a busy machine the other may have been slow as well.
    const sent = entries.filter(({ hedge }) => hedge !== undefined).length;
    const won = entries.filter(({ hedge }) => hedge === 'won').length;
    expect(won).toBe(2);
    await eventually(() => expect(a).toMatchObject({ broken: sent, held: new Set() }));
    const after = await hedges(app);
    expect([after.sent - before.sent, after.won - before.won]).toEqual([sent, won]);
    const csv = await (await fetch(`${app.stats}/stats;csv`)).text();
    const [names = '', ...rows] = csv.split('\n');
    const row = rows.find((line) => line.startsWith(`web,127.0.0.1:${a.port},`))?.split(',') ?? [];
    for (const column of ['econ', 'eresp', 'wretr', 'wredis', 'cli_abrt', 'srv_abrt']) {
      expect([column, row[names.split(',').indexOf(column)]]).toEqual([column, '0']);
    }
    expect(app.events().filter((event) => event.includes('passed over'))).toEqual([]);
    a.release();
    expect(new Set(await Promise.all([ask(), ask(), ask(), ask()]))).toEqual(new Set(['a', 'b']));
  });

  test('a POST waits for its server, however long', async () => {
    const { a, b, ask } = await startSite(lane);
    a.slow = true;
    const posts = [ask('POST'), ask('POST')];
    await eventually(() => expect(a.held.size).toBe(1));
    // By now it has waited longer than these, which were sent to both.
    for (let i = 0; i < 4; i++) expect(await ask()).toBe('b');
    await eventually(() => expect([...a.held].map(({ req }) => req.method)).toEqual(['POST']));
    a.release();
    expect((await Promise.all(posts)).sort()).toEqual(['a', 'b']);
    expect(b.methods.filter((method) => method === 'POST')).toHaveLength(1);
  });

  test('no more are hedged than half of the budget for retries allows', async () => {
    const { a, app, ask } = await startSite(lane, 'retry-budget: 0% 1/s');
    const before = await hedges(app);
    a.slow = true;
    const all = Array.from({ length: 20 }, () => ask());
    await eventually(async () => expect((await hedges(app)).sent).toBeGreaterThanOrEqual(5));
    a.release();
    // Half of these were given to it.
    expect((await Promise.all(all)).filter((text) => text === 'a').length).toBeGreaterThanOrEqual(5);
    expect((await hedges(app)).sent - before.sent).toBeLessThanOrEqual(5);
  });
});
