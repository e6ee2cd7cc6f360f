import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { freeAddresses } from '../helpers/free-port.ts';
import { startProgram } from '../helpers/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-access-'));
afterAll(() => rmSync(folder, { recursive: true }));

const vane = (...args: string[]) => startProgram(process.execPath, ['src/bin/vane.mjs', ...args]);

test('a token is changed without a restart, and is never told', async () => {
  const [http = ''] = await freeAddresses(1);
  const path = join(folder, 'vane.yaml');
  const secret = join(folder, 'token');
  const configure = (more: string) =>
    writeFileSync(
      path,
      `
global: { stats: off }
registry:
  http: "${http}"
  dns: off
  ${more}
  tokens: [{ token: "\${file:${secret}}", policy: admin }]
`,
    );
  const ask = async (token: string, method: string, what: string) => {
    const headers = { 'X-Consul-Token': token };
    const answer = await fetch(`http://${http}/v1/${what}`, { method, headers });
    return [answer.status, await answer.text()];
  };
  const [first, second] = ['the-first-secret-of-all', 'the-second-secret-of-all'];
  configure('');
  writeFileSync(secret, `${first}\n`);
  await using checked = vane('check', '-f', path);
  expect(await checked.ended).toBe(0);
  await using program = vane('run', '-f', path);
  await program.says(/vane is ready/);
  expect(await ask('', 'PUT', 'agent/reload')).toEqual([403, 'Permission denied']);
  expect(await ask(second, 'GET', 'agent/self')).toEqual([403, 'ACL not found']);

  writeFileSync(secret, second);
  expect(await ask(first, 'PUT', 'agent/reload')).toEqual([200, '']);
  expect(await ask(first, 'GET', 'agent/self')).toEqual([403, 'ACL not found']);
  await program.says(/setting registry\.tokens/);

  // What is meant for another address does not open this one.
  const elsewhere = http.replace(/\d+$/, '0');
  writeFileSync(path, `global: { stats: off }\nregistry: { http: "${elsewhere}", dns: off }\n`);
  const [status] = await ask(second, 'PUT', 'agent/reload');
  expect(status).toBe(200);
  expect(await ask('', 'GET', 'agent/self')).toEqual([403, 'Permission denied']);

  configure('token: typo');
  const [refused, problem] = await ask(second, 'PUT', 'agent/reload');
  expect([refused, problem]).toEqual([500, expect.stringContaining('registry.token: unknown key')]);
  writeFileSync(secret, 'short');
  await using wrong = vane('check', '-f', path);
  expect(await wrong.ended).toBe(1);
  expect(wrong.output()).toContain('must have at least 16 characters');

  expect(await ask(second, 'PUT', 'agent/leave')).toEqual([200, '']);
  expect(await program.ended).toBe(0);
  const told = [program, checked, wrong].map((one) => one.output()).join('\n');
  expect(told).toContain('asked over the consul api to stop');
  expect(told).not.toMatch(/secret-of-all|short/);
});

test('an address that others reach is not listened on by mistake', async () => {
  const path = join(folder, 'open.yaml');
  writeFileSync(path, 'registry: { http: ":8500", dns: off }\n');
  await using program = vane('run', '-f', path);
  expect(await program.ended).toBe(1);
  expect(program.output()).toContain('registry.http: is reached from other machines: set registry.tokens');
});
