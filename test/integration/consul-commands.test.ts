import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { printing, runConsul } from '../../src/cli/consul/command.ts';
import { KV_COMMANDS } from '../../src/cli/consul/kv.ts';
import { REGISTRY_COMMANDS } from '../../src/cli/consul/registry.ts';
import { SERVICE_COMMANDS } from '../../src/cli/consul/services.ts';
import { watch } from '../../src/cli/consul/watch.ts';
import { type ConsulApiUnderTest, startConsulApi } from '../helpers/consul-api.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { startProgram } from '../helpers/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-commands-'));
let consul: ConsulApiUnderTest;
beforeAll(async () => {
  consul = await startConsulApi({ scriptChecks: 'off' });
});
afterEach(async () => {
  await consul.call('DELETE', '/v1/kv/?recurse');
});
afterAll(async () => {
  await consul.close();
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const COMMANDS = { kv: KV_COMMANDS, services: SERVICE_COMMANDS, registry: REGISTRY_COMMANDS, watch };

/** In this process: starting another for each would take most of the time. */
async function vane(
  args: readonly string[],
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const [name, ...words] = args;
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const stdin = Readable.from([Buffer.from(input)]);
  const context = {
    env: { CONSUL_HTTP_ADDR: consul.base, ...env },
    stdin,
    stdout,
    ...printing(stdout, stderr),
  };
  const key = Object.keys(COMMANDS).find((each) => each === name);
  const code = await runConsul(`${name}`, COMMANDS[key as keyof typeof COMMANDS], words, context);
  const [out, err] = [stdout, stderr].map((stream) => {
    stream.end();
    return String(stream.read() ?? '');
  });
  return { code, out: out ?? '', err: err ?? '' };
}

function kv(args: readonly string[], input?: string): Promise<Ended> {
  return vane(['kv', ...args], input);
}

const ok = (out: string) => ({ code: 0, out, err: '' });
const failed = (err: string) => ({ code: 1, out: '', err });

describe('vane kv', () => {
  test('writes, reads and deletes', async () => {
    expect(await kv(['put', 'a/b c', 'value'])).toEqual(ok('Success! Data written to: a/b c\n'));
    expect(await kv(['get', 'a/b c'])).toEqual(ok('value\n'));
    expect(await kv(['put', '-flags=18446744073709551615', 'a/x', '-'], 'of stdin')).toMatchObject({
      code: 0,
    });
    expect(await kv(['get', '-recurse', 'a/'])).toEqual(ok('a/b c:value\na/x:of stdin\n'));
    expect((await kv(['get', '-detailed', 'a/x'])).out).toMatch(/^Flags {11}18446744073709551615$/m);
    expect(await kv(['get', '-keys'])).toEqual(ok('a/\n'));
    expect(await kv(['delete', 'a/x'])).toEqual(ok('Success! Deleted key: a/x\n'));
    expect(await kv(['get', 'a/x'])).toEqual(failed('Error! No key exists at: a/x\n'));
    expect(await kv(['delete', '-recurse', 'a'])).toEqual(ok('Success! Deleted keys with prefix: a\n'));
  });

  test('takes data from files, and in base64, byte for byte', async () => {
    const bytes = Buffer.from([0, 255, 10, 13]);
    const path = join(folder, 'data');
    writeFileSync(path, bytes);
    await kv(['put', 'file', `@${path}`]);
    await kv(['put', '-base64', 'base64', bytes.toString('base64')]);
    for (const key of ['file', 'base64']) {
      expect(consul.registry.catalog.kv.entry(key).value?.value).toEqual(bytes);
      expect(await kv(['get', '-base64', key])).toEqual(ok('AP8KDQ==\n'));
    }
    expect((await kv(['put', '-base64', 'x', '!'])).err).toBe('Error! the value is no base64\n');
  });

  test('writes only over what it knows', async () => {
    expect(await kv(['put', '-cas', 'key', '1'])).toMatchObject({ code: 0 });
    expect(await kv(['put', '-cas', 'key', '2'])).toEqual(
      failed('Error! Did not write to key: CAS failed\n'),
    );
    const index = consul.registry.catalog.kv.entry('key').value?.modifyIndex;
    expect(await kv(['put', '-cas', `-modify-index=${index}`, 'key', '2'])).toMatchObject({ code: 0 });
    expect(await kv(['delete', '-cas', '-modify-index=1', 'key'])).toEqual(
      failed('Error! Did not delete key key: CAS failed\n'),
    );
  });

  test('exports what it imports', async () => {
    await kv(['put', '-flags=18446744073709551615', 'tree/a', 'A']);
    await kv(['put', 'tree/b']);
    const exported = await kv(['export', 'tree/']);
    expect(exported.out).toBe(
      '[\n\t{\n\t\t"key": "tree/a",\n\t\t"flags": 18446744073709551615,\n\t\t"value": "QQ=="\n\t},\n' +
        '\t{\n\t\t"key": "tree/b",\n\t\t"flags": 0,\n\t\t"value": ""\n\t}\n]\n',
    );
    await kv(['delete', '-recurse', 'tree']);
    expect(await kv(['import', '-'], exported.out)).toEqual(ok('Imported: tree/a\nImported: tree/b\n'));
    expect((await kv(['export', 'tree/'])).out).toBe(exported.out);
    expect(await kv(['export', 'none'])).toEqual(ok('[]\n'));
    expect((await kv(['import', '{"key": 1}'])).err).toContain('expected a list of keys');
    expect((await kv(['import', '[{"key": "a"}, {"flags": 1}]'])).err).toContain('entry 1 is not');
    expect(await kv(['get', 'a'])).toMatchObject({ code: 1 });
  });
});

describe('vane services', () => {
  test('registers by flags and by files, lists and deregisters', async () => {
    const flags = ['-name=web', '-id', 'web1', '-port=80', '-tag=a', '-tag=b', '-meta=k=v=w'];
    expect(await vane(['services', 'register', ...flags])).toEqual(ok('Registered service: web\n'));
    const path = join(folder, 'db.json');
    const check = { id: 'alive', http: 'http://127.0.0.1:9/', interval: '1h', status: 'passing' };
    writeFileSync(path, JSON.stringify({ services: [{ name: 'db', port: 5432, check }] }));
    expect(await vane(['services', 'register', path])).toEqual(ok('Registered service: db\n'));
    expect((await consul.call('GET', '/v1/agent/services')).json).toMatchObject({
      web1: { Service: 'web', Port: 80, Tags: ['a', 'b'], Meta: { k: 'v=w' } },
      db: { Service: 'db', Port: 5432 },
    });
    expect((await consul.call('GET', '/v1/agent/checks')).json).toMatchObject({
      alive: { ServiceID: 'db', Type: 'http', Status: 'passing' },
    });
    expect(await vane(['services', 'list'])).toEqual(ok('consul\ndb\nweb\n'));
    expect(await vane(['services', 'list', '-tags'])).toEqual(ok('consul\ndb\nweb       a,b\n'));
    expect(await vane(['services', 'deregister', '-id=web1'])).toEqual(ok('Deregistered service: web1\n'));
    expect(await vane(['services', 'deregister', path])).toEqual(ok('Deregistered service: db\n'));
    expect(await vane(['services', 'list'])).toEqual(ok('consul\n'));
  });

  test('tells what is wrong, in files as the configuration does', async () => {
    const path = join(folder, 'bad.json');
    writeFileSync(path, '{"service": {"nam": "web"}}');
    const { code, err } = await vane(['services', 'register', path]);
    expect(code).toBe(1);
    expect(err).toContain(`${path}:1:14: service.nam: unknown key (did you mean name?)`);
    expect((await vane(['services', 'register', '-name=web', '-port=http'])).err).toBe(
      'Error! -port is a whole number, not http\n',
    );
    expect((await vane(['services', 'register', '-name=w', '-meta=a b=c'])).err).toMatch(
      /^Error! Unexpected response code: 400 \(Invalid Service Meta/,
    );
  });
});

describe('vane registry', () => {
  test('saves into a file and restores from it', async () => {
    await consul.call('PUT', '/v1/kv/key', 'value');
    const path = join(folder, 'registry.snap');
    expect(await vane(['registry', 'save', path])).toEqual(
      ok(`Saved and verified snapshot to index ${consul.registry.catalog.index}\n`),
    );
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await consul.call('DELETE', '/v1/kv/key');
    expect(await vane(['registry', 'restore', path])).toEqual(ok('Restored snapshot\n'));
    expect((await consul.call('GET', '/v1/kv/key?raw')).text).toBe('value');
  });

  test('restores nothing that is no snapshot', async () => {
    const path = join(folder, 'other.tgz');
    writeFileSync(path, 'no snapshot');
    const { code, err } = await vane(['registry', 'restore', path]);
    expect(code).toBe(1);
    expect(err).toMatch(/^Error! Unexpected response code: 400 \(cannot be restored: it is not compressed/);
    expect((await vane(['registry', 'restore', join(folder, 'none')])).err).toContain('cannot be read');
  });

  test('keeps the snapshot that is there when it cannot save a whole one', async () => {
    const site: Server = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Length': 1000 });
      response.write('half');
      response.socket?.end();
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    const { port } = site.address() as AddressInfo;
    const path = join(folder, 'kept.snap');
    writeFileSync(path, 'before');
    const { code } = await vane(['registry', 'save', `-http-addr=127.0.0.1:${port}`, path]);
    expect(code).toBe(1);
    expect(readFileSync(path, 'utf8')).toBe('before');
    expect(readdirSync(folder).filter((name) => name.endsWith('.new'))).toEqual([]);
    await new Promise((resolve) => site.close(resolve));
  });
});

describe('vane watch', () => {
  test('without a command prints what there is, and ends', async () => {
    await consul.call('PUT', '/v1/kv/dir/key', 'value');
    const key = await vane(['watch', '-type=key', '-key=dir/key']);
    expect(key.code, key.err).toBe(0);
    expect(JSON.parse(key.out)).toMatchObject({ Key: 'dir/key', Value: 'dmFsdWU=' });
    expect(await vane(['watch', '-type=key', '-key=none'])).toEqual(ok('null\n'));
    const read = async (...args: string[]) => JSON.parse((await vane(['watch', ...args])).out);
    expect(await read('-type=keyprefix', '-prefix=dir/')).toHaveLength(1);
    expect(await read('-type=services')).toEqual({ consul: [] });
    expect(await read('-type=nodes')).toMatchObject([{ Node: 'lb-1' }]);
    expect(await read('-type=service', '-service=consul', '-passingonly')).toMatchObject([{ Node: {} }]);
    expect(await read('-type=checks', '-state=passing')).toMatchObject([{ CheckID: 'serfHealth' }]);
    await consul.call('PUT', '/v1/event/fire/deploy', 'payload');
    expect(await read('-type=event', '-name=deploy')).toMatchObject([{ Name: 'deploy' }]);
  });

  test('runs a command at every change, with what is there on its standard input', async () => {
    const path = join(folder, 'seen');
    const args = [
      'watch',
      `-http-addr=${consul.base}`,
      '-type=key',
      '-key=watched',
      '--',
      'cat',
      `>>${path}`,
    ];
    await using program = startProgram(process.execPath, ['src/bin/vane.mjs', ...args]);
    const seen = (value: string) =>
      eventually(() => expect(existsSync(path) && readFileSync(path, 'utf8')).toContain(value), 20_000);
    await seen('null');
    await consul.call('PUT', '/v1/kv/watched', 'one');
    await seen(Buffer.from('one').toString('base64'));
    await consul.call('PUT', '/v1/kv/watched', 'two');
    await seen(Buffer.from('two').toString('base64'));
    program.signal('SIGTERM');
    expect(await program.ended, program.output()).toBe(0);
  });

  test('goes on after a command that fails and a registry that is away', async () => {
    const [address = ''] = await freeAddresses(1);
    const args = ['watch', `-http-addr=${address}`, '-type=services', '-shell=false', process.execPath, '-e'];
    await using program = startProgram(process.execPath, [
      'src/bin/vane.mjs',
      ...args,
      'console.log("ran at " + process.env.CONSUL_INDEX); process.exit(3)',
    ]);
    await program.says(
      /Watch \(\/v1\/catalog\/services\) has failed: http:\/\/127\.0\.0\.1:\d+ cannot be asked/,
    );
    const port = Number(address.split(':')[1]);
    const late = await startConsulApi({ bind: { host: '127.0.0.1', port } });
    try {
      await program.says(/ran at \d+\n/);
      await program.says(/Command ended with 3/);
      await late.call('PUT', '/v1/agent/service/register', { Name: 'web' });
      await program.says(/ran at \d+\n.*ran at \d+\n/s);
    } finally {
      program.signal('SIGTERM');
      await program.ended;
      await late.close();
    }
  });
});

test.each<[string[], string]>([
  [['kv'], 'Error! usage: vane kv get|put|delete|export|import [flags] …'],
  [['kv', 'get'], 'Error! expected 1 word, got 0: vane kv get [flags] KEY'],
  [['kv', 'get', '-no', 'key'], 'Error! there is no flag -no; there are -http-addr, -token, -token-file, '],
  [['kv', 'get', '-http-addr'], 'Error! -http-addr needs a value'],
  [
    ['kv', 'get', '-http-addr=ftp://127.0.0.1:1', 'a'],
    'Error! ftp://127.0.0.1:1: only http://, https:// and unix:// can be asked',
  ],
  [['kv', 'put', '-acquire', 'a', 'b'], 'Error! -acquire and -release need -session'],
  [['services', 'register'], 'Error! usage: vane services register -name=NAME [flags] | FILE…'],
  [
    ['watch', '-type=all'],
    'Error! -type is key, keyprefix, services, nodes, service, checks or event, not "all"',
  ],
  [['watch', '-type=key'], 'Error! -type=key needs -key'],
  [['registry', 'save'], 'Error! expected 1 word, got 0: vane registry save [flags] FILE'],
])('vane %j ends with 1 and says why', async (args, message) => {
  const { code, err } = await vane(args);
  expect(code).toBe(1);
  expect(err).toContain(message);
});

test('the commands are those of the program, flags and all', async () => {
  const run = async (...args: string[]) => {
    const program = startProgram(process.execPath, ['src/bin/vane.mjs', ...args]);
    return { code: await program.ended, output: program.output() };
  };
  const at = `-http-addr=${consul.base}`;
  expect(await run('kv', 'put', at, 'key', '-value')).toEqual({
    code: 0,
    output: 'Success! Data written to: key\n',
  });
  expect(await run('kv', 'get', at, 'key')).toEqual({ code: 0, output: '-value\n' });
  expect(await run('kv', 'get', at, 'none')).toEqual({ code: 1, output: 'Error! No key exists at: none\n' });
  expect(await run('services', 'list', at)).toEqual({ code: 0, output: 'consul\n' });
});

test('the token is sent, from the flag or else the environment', async () => {
  const tokens: (string | undefined)[] = [];
  const site = createServer((request, response) => {
    tokens.push(request.headersDistinct['x-consul-token']?.[0]);
    response.writeHead(403).end('Permission denied');
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const { port } = site.address() as AddressInfo;
  const env = { CONSUL_HTTP_ADDR: `127.0.0.1:${port}`, CONSUL_HTTP_TOKEN: 'of the environment' };
  const refused = failed('Error! Unexpected response code: 403 (Permission denied)\n');
  expect(await vane(['kv', 'get', 'a'], '', env)).toEqual(refused);
  expect(await vane(['kv', 'get', '-token=of the flag', 'a'], '', env)).toEqual(refused);
  expect(tokens).toEqual(['of the environment', 'of the flag']);
  await new Promise((resolve) => site.close(resolve));
});
