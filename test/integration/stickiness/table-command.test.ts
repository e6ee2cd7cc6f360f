import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { TableView } from '../../../src/control/stick-tables.ts';
import { startVane, type Vane } from '../../helpers/drill-vane.ts';
import { eventually } from '../../helpers/eventually.ts';
import { startProgram } from '../../helpers/program.ts';
import { startWeb } from '../../helpers/web.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-table-'));

async function startSite(workers: number) {
  const webs = await Promise.all(['a', 'b'].map((name) => startWeb(name)));
  onTestFinished(async () => {
    for (const web of webs) await web[Symbol.asyncDispose]();
  });
  const config = (frontend: string, stats: string) => `
global: { workers: ${workers}, stats: { bind: "${stats}" }, hard-stop-after: 5s }
registry: off
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends:
  web:
    stick-table: type string size 1000 expire 10m
    stick: on hdr(x-user)
    servers: ["${webs.map(({ port }) => `127.0.0.1:${port}`).join('", "')}"]
  plain: { servers: ["127.0.0.1:1"] }
`;
  const vane = await startVane(({ frontend, stats }) => config(frontend, stats));
  onTestFinished(() => vane[Symbol.asyncDispose]());
  const file = join(folder, `${workers}.yaml`);
  writeFileSync(file, config(vane.places.frontend, vane.places.stats));
  onTestFinished(() => rmSync(file));
  /** Over a connection of its own, which any worker may have. */
  const visit = async (user: string) => {
    const headers = { connection: 'close', 'x-user': user };
    return (await fetch(`http://${vane.places.frontend}/`, { headers })).text();
  };
  /** Exit code and output of a command. */
  const run = async (...words: string[]) => {
    await using program = startProgram(process.execPath, ['src/bin/vane.mjs', 'table', ...words, '-f', file]);
    const code = await program.ended;
    return `${code} ${program.output()}`;
  };
  return { vane, webs, visit, run };
}

async function show({ places }: Vane, query = ''): Promise<TableView> {
  return (await (await fetch(`http://${places.stats}/table?backend=web${query}`)).json()) as TableView;
}

async function clear({ places }: Vane, body: object): Promise<unknown> {
  const answer = await fetch(`http://${places.stats}/table?backend=web`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return answer.json();
}

test('what is in a table is listed, and cleared by key, by server or whole', async () => {
  const { vane, webs, visit, run } = await startSite(0);
  const [a, b] = webs.map(({ port }) => `127.0.0.1:${port}`);
  for (const user of ['u 1', 'u2', 'u3', 'u4']) await visit(user);
  const list = await fetch(`http://${vane.places.stats}/table`);
  expect(await list.json()).toEqual([{ table: 'web', type: 'string', size: 1_000, used: 4, entries: [] }]);
  const shown = await run('show', 'web');
  const lines = shown.split('\n').map((line) => line.replace(/exp=\d+/, 'exp=N'));
  expect(lines).toEqual([
    '0 # table: web, type: string, size:1000, used:4',
    `key=u4 exp=N server=${b}`,
    `key=u3 exp=N server=${a}`,
    `key=u2 exp=N server=${b}`,
    `key=u\\x201 exp=N server=${a}`,
    '',
  ]);
  expect((await show(vane, '&limit=1')).entries.map(({ key }) => key)).toEqual(['u4']);
  expect((await show(vane, `&server=${a}`)).entries.map(({ key }) => key)).toEqual(['u3', 'u 1']);
  expect((await show(vane, `&server=${a}&key=u2`)).entries).toEqual([]);
  expect(await vane.metrics()).toContain('haproxy_sticktable_used{name="web",type="string"} 4');

  expect(await run('clear', 'web', '--key', 'u4')).toBe('0 web: 1 entry cleared\n');
  expect(await clear(vane, { clear: { server: a } })).toEqual({ cleared: 2 });
  expect((await show(vane)).entries.map(({ key }) => key)).toEqual(['u2']);
  expect(await clear(vane, { clear: 'all' })).toEqual({ cleared: 1 });
  expect((await show(vane)).used).toBe(0);
  expect(vane.output()).toContain('stick table web cleared by');

  expect(await run('clear', 'web')).toMatch(/^2 error: say which entries/);
  expect(await run('show', 'plain')).toMatch(
    /^1 Not done: no backend of that name has a stick-table; there are web/,
  );
}, 60_000);

test('with workers it is one table', async () => {
  const { vane, visit } = await startSite(2);
  const users = Array.from({ length: 20 }, (_, i) => `user-${i}`);
  for (const user of users) await visit(user);
  await eventually(async () => expect((await show(vane)).used).toBe(20));
  const { entries } = await show(vane);
  expect(entries.map(({ key }) => key).sort()).toEqual(users.toSorted());
  for (const { key, server } of entries.slice(0, 5)) {
    expect((await show(vane, `&key=${key}`)).entries).toMatchObject([{ key, server }]);
  }
  expect(await clear(vane, { clear: { key: 'user-7' } })).toEqual({ cleared: 1 });
  expect((await show(vane, '&key=user-7')).entries).toEqual([]);
  expect(await clear(vane, { clear: 'all' })).toEqual({ cleared: 19 });
  // In each of them.
  expect(await vane.metrics()).toContain('haproxy_sticktable_used{name="web",type="string"} 0');
}, 60_000);
