import { expect, onTestFinished, test } from 'vitest';
import { type Places, startVane } from '../../helpers/drill-vane.ts';
import { workerPids } from '../../helpers/drill-workers.ts';
import { eventually } from '../../helpers/eventually.ts';
import { startWeb } from '../../helpers/web.ts';

async function startWorkers(backend: string) {
  const webs = await Promise.all(['a', 'b', 'c', 'd'].map((name) => startWeb(name)));
  onTestFinished(async () => {
    for (const web of webs) await web[Symbol.asyncDispose]();
  });
  const servers = webs.map(({ port }) => `"127.0.0.1:${port}"`).join(', ');
  const vane = await startVane(
    ({ frontend, stats }: Places) => `
global: { workers: 2, stats: { bind: "${stats}" }, hard-stop-after: 5s }
registry: off
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { ${backend}, servers: [${servers}] } }
`,
  );
  onTestFinished(() => vane[Symbol.asyncDispose]());
  /** Over a connection of its own, which either worker may have. */
  const ask = async (headers: Record<string, string>) => {
    const answer = await fetch(`http://${vane.places.frontend}/`, {
      headers: { connection: 'close', ...headers },
    });
    return { body: await answer.text(), cookie: answer.headers.getSetCookie()[0]?.split(';')[0] ?? '' };
  };
  return { vane, ask };
}

test('workers agree about cookies without a word', async () => {
  const { ask } = await startWorkers('cookie: SRV insert indirect');
  for (let client = 0; client < 4; client++) {
    const { body, cookie } = await ask({});
    for (let i = 0; i < 8; i++) expect(await ask({ cookie })).toEqual({ body, cookie: '' });
  }
});

test('workers tell each other what is in their tables, and a new one too', async () => {
  const { vane, ask } = await startWorkers(
    'stick-table: type string size 1k expire 10m, stick: on hdr(x-user)',
  );
  const users = Array.from({ length: 40 }, (_, i) => `user-${i}`);
  const homes = new Map<string, string>();
  for (const user of users) homes.set(user, (await ask({ 'x-user': user })).body);
  expect(new Set(homes.values()).size).toBeGreaterThan(1);
  const expectHomes = async () => {
    for (const user of users) expect((await ask({ 'x-user': user })).body, user).toBe(homes.get(user));
  };
  // Entries are told some milliseconds late: whoever asked too early has been moved for good.
  const settled = () =>
    eventually(async () => {
      for (const user of users) homes.set(user, (await ask({ 'x-user': user })).body);
      for (let i = 0; i < 3; i++) await expectHomes();
    });
  await settled();
  const before = new Map(homes);
  const [first = 0] = workerPids(vane.output());
  process.kill(first, 'SIGKILL');
  await eventually(() => expect(workerPids(vane.output()).length).toBeGreaterThan(2), 10_000);
  await settled();
  // Some may have come to the new one before it was told; without a word about a third would have moved.
  expect(users.filter((user) => homes.get(user) !== before.get(user)).length).toBeLessThan(5);
});
