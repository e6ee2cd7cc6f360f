import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { type Program, startProgram } from '../helpers/program.ts';
import { startWeb } from '../helpers/web.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-consul-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(name: string, config: string): Program {
  const file = join(folder, name);
  writeFileSync(file, config);
  return startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', file]);
}

test('a Vane without a registry follows that of another through its death and return', async () => {
  const [consul = '', frontend = '', stats = ''] = await freeAddresses(3);
  await using old = await startWeb('old');
  await using young = await startWeb('young');
  const a = `
global: { data-dir: ${join(folder, 'a')}, stats: off }
registry: { http: "${consul}", dns: off }
backends: { none: { servers: ["127.0.0.1:1"] } }
`;
  const b = `
global: { stats: { bind: "${stats}" } }
registry: off
resolvers: { c1: { consul: "http://${consul}" } }
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: [{ domain: web.service.consul, resolvers: c1 }] } }
`;
  const put = async (path: string, body?: object) => {
    const init = { method: 'PUT', body: body === undefined ? null : JSON.stringify(body) };
    expect((await fetch(`http://${consul}/v1/agent/service/${path}`, init)).status).toBe(200);
  };
  const isThere = () =>
    eventually(async () => void (await fetch(`http://${consul}/v1/status/leader`)), 20_000);
  const metric = async (name: string) => {
    const text = await (await fetch(`http://${stats}/metrics`)).text();
    return text.match(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm'))?.[1];
  };
  const page = async () => (await fetch(`http://${frontend}/`)).text();

  await using first = run('a.yaml', a);
  await isThere();
  await put('register', { Name: 'web', ID: 'old', Address: '127.0.0.1', Port: old.port });
  await using follower = run('b.yaml', b);
  await eventually(async () => expect(await page()).toContain('old'), 20_000);
  expect(await metric('vane_resolver_up')).toBe('1');

  first.signal('SIGKILL');
  await first.ended;
  await eventually(async () => expect(await metric('vane_resolver_up')).toBe('0'));
  await follower.says(/name not resolved, its servers stay/);
  expect(await page()).toContain('old');

  await using second = run('a.yaml', a);
  await isThere();
  await put('register', { Name: 'web', ID: 'young', Address: '127.0.0.1', Port: young.port });
  await put('deregister/old');
  await eventually(async () => expect(await page()).toContain('young'));
  await eventually(async () => expect(await metric('vane_resolver_up')).toBe('1'));
  expect(second.output()).not.toMatch(/"level":"error"/);
}, 90_000);
