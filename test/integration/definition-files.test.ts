import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { type Program, startProgram } from '../helpers/program.ts';

let folder: string;
let http: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vane-definitions-'));
  mkdirSync(join(folder, 'services.d'));
  const [stats, api, dns] = await freeAddresses(3);
  http = `http://${api}`;
  writeFileSync(
    join(folder, 'vane.yaml'),
    `
global: { node: lb-1, stats: { bind: "${stats}" }, data-dir: ${folder}/data, hard-stop-after: 2s }
registry: { http: "${api}", dns: "${dns}", services: ${folder}/services.d, script-checks: files }
backends: { web: { servers: [web.service.consul] } }
`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

function define(name: string, content: object): void {
  writeFileSync(join(folder, 'services.d', name), JSON.stringify(content, undefined, 2));
}

function undefine(name: string): void {
  rmSync(join(folder, 'services.d', name));
}

function vane(command: string): Program {
  return startProgram(process.execPath, ['src/bin/vane.mjs', command, '-f', join(folder, 'vane.yaml')]);
}

async function get(path: string): Promise<unknown> {
  const answer = await fetch(http + path);
  return answer.json();
}

async function ids(): Promise<readonly string[]> {
  return Object.keys(Object(await get('/v1/agent/services')));
}

async function put(path: string, body: object): Promise<void> {
  const answer = await fetch(http + path, { method: 'PUT', body: JSON.stringify(body) });
  expect(answer.status, await answer.text()).toBe(200);
}

const WEB = { service: { name: 'web', port: 80, check: { args: ['/bin/echo', 'up'], interval: '1h' } } };

test('check counts definitions, and tells what is wrong with them', async () => {
  define('web.json', WEB);
  define('disk.json', { check: { name: 'disk', ttl: '1m' } });
  await using good = vane('check');
  expect(await good.ended, good.output()).toBe(0);
  expect(good.output()).toContain('1 backend, 1 service definition, 1 check definition.');
  define('bad.json', { service: { nam: 'web' } });
  await using bad = vane('check');
  expect(await bad.ended).toBe(1);
  expect(bad.output().trim().split('\n')).toEqual([
    expect.stringMatching(/services\.d\/bad\.json:2:14: service: a service needs a name$/),
    expect.stringMatching(/services\.d\/bad\.json:3:5: service\.nam: unknown key \(did you mean name\?\)$/),
  ]);
  await using run = vane('run');
  expect(await run.ended, run.output()).toBe(1);
  expect(run.output()).toContain('did you mean name?');
});

test('definitions are registered at start, their scripts run, and HUP takes what has changed', async () => {
  define('web.json', WEB);
  define('old.json', { service: { name: 'old' } });
  await using program = vane('run');
  await program.says(/vane is ready/);
  expect(await ids()).toEqual(['old', 'web']);
  await eventually(async () =>
    expect(await get('/v1/agent/checks')).toMatchObject({
      'service:web': { Status: 'passing', Output: 'up\n' },
    }),
  );
  expect(program.output()).toMatch(/"by":"file [^"]*services\.d\/web\.json"/);
  await put('/v1/agent/service/register', { Name: 'api' });

  define('web.json', { service: { ...WEB.service, port: 81 } });
  undefine('old.json');
  define('new.json', { service: { name: 'new' } });
  program.signal('SIGHUP');
  await program.says(/configuration taken/);
  expect(await ids()).toEqual(['api', 'new', 'web']);
  expect(await get('/v1/agent/services')).toMatchObject({ web: { Port: 81 } });
  expect(await get('/v1/agent/checks')).toMatchObject({ 'service:web': { Status: 'passing' } });
});

test('a bad file, or a check without its service, changes nothing at HUP', async () => {
  define('web.json', WEB);
  await using program = vane('run');
  await program.says(/vane is ready/);
  define('web.json', { service: { name: 'web', port: 81 } });
  define('bad.json', { service: { name: 'bad', port: 'http' } });
  program.signal('SIGHUP');
  await program.says(/configuration not taken.*|bad\.json:4:13: service\.port: expected a whole number/);
  await program.says(/configuration not taken/);
  define('bad.json', { check: { name: 'x', service_id: 'nowhere', ttl: '1m' } });
  program.signal('SIGHUP');
  await program.says(/bad\.json:4:19: check\.service_id: there is no service \\"nowhere\\"/);
  expect(await ids()).toEqual(['web']);
  expect(await get('/v1/agent/services')).toMatchObject({ web: { Port: 80 } });
  undefine('bad.json');
  const answer = await fetch(`${http}/v1/agent/reload`, { method: 'PUT' });
  expect(answer.status, await answer.text()).toBe(200);
  expect(await get('/v1/agent/services')).toMatchObject({ web: { Port: 81 } });
});

test('a definition that went while vane was down is deregistered at start, what the API registered is not', async () => {
  define('web.json', WEB);
  define('old.json', { service: { name: 'old' } });
  {
    await using program = vane('run');
    await program.says(/vane is ready/);
    await put('/v1/agent/service/register', { Name: 'api' });
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
  }
  undefine('old.json');
  await using program = vane('run');
  await program.says(/vane is ready/);
  expect(await ids()).toEqual(['api', 'web']);
});
