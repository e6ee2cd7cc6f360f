import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadInForce, loadPresent } from '../../src/cli/configuration/configuration.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses, lastingPorts } from '../helpers/free-port.ts';
import { type Program, startProgram } from '../helpers/program.ts';
import { startScriptedConsul } from '../helpers/scripted-consul.ts';
import { startWeb } from '../helpers/web.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-kv-'));
afterAll(() => rmSync(folder, { recursive: true }));
const VANE = 'src/bin/vane.mjs';
const TOKEN = 'a-secret-of-the-operator';

function vane(args: readonly string[]): Program {
  return startProgram(process.execPath, [VANE, ...args]);
}

async function ended(args: readonly string[]) {
  await using program = vane(args);
  return { code: await program.ended, output: program.output() };
}

/** A Vane whose key/value store the others have their configuration in. */
async function startKeyStore(port: number, name: string): Promise<Program> {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(
    file,
    `global: { stats: off, workers: 0, data-dir: "${join(folder, name)}" }
registry: { http: "127.0.0.1:${port}", dns: off, tokens: [{ token: "${TOKEN}", policy: admin }], anonymous: none }`,
  );
  const program = vane(['run', '-f', file]);
  await program.says(/vane is ready/);
  return program;
}

async function put(port: number, value: string): Promise<void> {
  const headers = { 'X-Consul-Token': TOKEN };
  const url = `http://127.0.0.1:${port}/v1/kv/vane/lb%201.yaml`;
  const answer = await fetch(url, { method: 'PUT', body: value, headers });
  expect(answer.status, await answer.text()).toBe(200);
}

test('a Vane runs by a key of another, takes its good versions, and starts by its copy when it is away', async () => {
  const [port = 0] = await lastingPorts(1);
  const [frontend = '', stats = ''] = await freeAddresses(2);
  await using one = await startWeb('one');
  await using two = await startWeb('two');
  const config = (server: number) =>
    `global: { stats: { bind: "${stats}" }, workers: 0 }
registry: off
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: ["127.0.0.1:${server}"] } }
`;
  const answered = (by: string) =>
    eventually(async () => expect(await (await fetch(`http://${frontend}/`)).text()).toBe(by), 15_000);
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, `${TOKEN}\n`);
  const cache = join(folder, 'cache', 'vane.yaml');
  const bare = `kv://127.0.0.1:1,127.0.0.1:${port}/vane/lb%201.yaml?token-file=${tokenFile}`;
  const address = `${bare}&cache=${cache}`;
  let keys = await startKeyStore(port, 'keys');
  try {
    await expect(loadPresent(address)).rejects.toThrow(
      /^kv:\S+: cannot be read: there is no key vane\/lb 1.yaml: put it there/,
    );
    const withoutToken = address.replace(/token-file=[^&]*&/, '');
    await expect(loadPresent(withoutToken)).rejects.toThrow(/cannot be read: .* refuses the token \(403/);
    await put(port, config(one.port));

    await using first = vane(['run', '-f', address]);
    await first.says(/vane is ready/);
    await answered('one');
    await put(port, config(two.port));
    await first.says(/the configuration has changed in the store[\s\S]*configuration taken/);
    await answered('two');
    await eventually(() => expect(readFileSync(cache, 'utf8')).toContain(`127.0.0.1:${two.port}`));
    expect(statSync(cache).mode & 0o777).toBe(0o600);

    // What is wrong is told with its place, and nothing comes of it.
    await put(port, config(one.port).replace('servers', 'server'));
    await first.says(/not taken: it has problems/);
    expect(first.output()).toMatch(/lb%201.yaml:4:\d+: backends.web.server: .*did you mean servers/);
    const bad = await ended(['check', '-f', address]);
    expect([bad.code, bad.output]).toEqual([1, expect.stringContaining('did you mean servers')]);
    expect(readFileSync(cache, 'utf8')).toContain(`127.0.0.1:${two.port}`);
    await answered('two');

    // Away, it changes nothing; back, it is heard again.
    await keys[Symbol.asyncDispose]();
    await first.says(/the configuration is not to be had: it stays as it is/);
    await answered('two');
    const explained = await ended(['explain', 'web', '-f', address]);
    expect([explained.code, explained.output]).toEqual([0, expect.stringContaining('backend web')]);
    first.signal('SIGTERM');
    expect(await first.ended, first.output()).toBe(0);

    await using second = vane(['run', '-f', address]);
    await second.says(/vane is ready/);
    expect(second.output()).not.toContain('configuration taken');
    await second.says(/"why":\["kv:.*cannot be asked.*the copy that was kept/);
    await answered('two');
    second.signal('SIGHUP');
    await second.says(/configuration taken/);
    keys = await startKeyStore(port, 'keys');
    await second.says(/the configuration is to be had again/);
    await second.says(/did you mean servers/);
    await put(port, config(one.port));
    await answered('one');
    second.signal('SIGTERM');
    expect(await second.ended, second.output()).toBe(0);
  } finally {
    await keys[Symbol.asyncDispose]();
  }
}, 60_000);

test('a value that can be no configuration is refused, and a copy of another key is not used', async () => {
  const values = { large: 'x'.repeat(1024 * 1024 + 1), binary: Buffer.from([0xff, 0xfe]) };
  await using consul = await startScriptedConsul((request, response) => {
    const value = request.url?.includes('large') ? values.large : values.binary;
    response.setHeader('X-Consul-Index', '7');
    response.end(JSON.stringify([{ Value: Buffer.from(value).toString('base64') }]));
  });
  const at = consul.url.replace('http:', 'kv:');
  await expect(loadPresent(`${at}/large`)).rejects.toThrow(/1048577 bytes: at most 1048576/);
  await expect(loadPresent(`${at}/binary`)).rejects.toThrow(/is not UTF-8 text/);
  const cache = join(folder, 'of-another.yaml');
  writeFileSync(cache, '# The last good configuration of "other", kept by vane.\n');
  await expect(loadInForce(`${at}/binary?cache=${cache}`)).rejects.toThrow(
    /it is not the configuration of this key[\s\S]*UTF-8/,
  );
});

test('a start that waits for the store ends when it is told to', async () => {
  await using consul = await startScriptedConsul(() => {});
  await using program = vane(['run', '-f', `${consul.url.replace('http:', 'kv:')}/vane.yaml`]);
  await eventually(() => expect(consul.asked).toHaveLength(1), 20_000);
  program.signal('SIGTERM');
  expect(await program.ended, program.output()).toBe(0);
});
