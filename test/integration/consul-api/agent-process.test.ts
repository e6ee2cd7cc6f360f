import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startConsulApi } from '../../helpers/consul-api.ts';
import { freeAddresses } from '../../helpers/free-port.ts';
import { startProgram } from '../../helpers/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-agent-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function put(url: string): Promise<[status: number, text: string]> {
  const answer = await fetch(url, { method: 'PUT' });
  return [answer.status, await answer.text()];
}

test('clients may have it read its configuration again, and leave', async () => {
  const [http = '', www = ''] = await freeAddresses(2);
  const path = join(folder, 'vane.yaml');
  const text = `
global: { stats: off }
registry: { http: "${http}", dns: off }
frontends: { www: { bind: "${www}", default_backend: web } }
backends: { web: { servers: [web.service.consul] } }
`;
  writeFileSync(path, text.replace(/frontends:.*\n/, ''));
  await using program = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', path]);
  await program.says(/vane is ready/);
  const agent = `http://${http}/v1/agent`;
  writeFileSync(path, text.replace('default_backend: web', 'default_backend: wbe'));
  const [status, problem] = await put(`${agent}/reload`);
  expect([status, problem]).toEqual([500, expect.stringContaining('did you mean web?')]);
  await expect(fetch(`http://${www}/`)).rejects.toThrow();
  writeFileSync(path, text);
  // Many at once are one or two reloads, and each is answered once what it asked for has been done.
  const answers = await Promise.all([1, 2, 3].map(() => put(`${agent}/reload`)));
  expect(answers).toEqual([1, 2, 3].map(() => [200, '']));
  expect((await fetch(`http://${www}/`)).status).toBe(503);
  expect(await put(`${agent}/leave`)).toEqual([200, '']);
  expect(await program.ended, program.output()).toBe(0);
  expect(program.output()).toMatch(/"by":"api 127\.0\.0\.1:\d+".*asked over the consul api to stop/);
});

test('without a process to ask, it says so', async () => {
  const { base, close } = await startConsulApi();
  try {
    for (const what of ['reload', 'leave']) {
      expect((await put(`${base}/v1/agent/${what}`))[0], what).toBe(501);
    }
  } finally {
    await close();
  }
});
