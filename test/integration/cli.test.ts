import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { type Program, startProgram } from '../helpers/program.ts';
import { ROOT, readText } from '../helpers/source-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function vane(...args: string[]): Program {
  return startProgram(process.execPath, ['src/bin/vane.mjs', ...args]);
}

async function config(frontend: string) {
  const [stats, http, dns] = await freeAddresses(3);
  return {
    stats,
    text: `
global: { stats: { bind: "${stats}" }, hard-stop-after: 20s }
registry: { http: "${http}", dns: "${dns}" }
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: [web.service.consul] } }
`,
  };
}

test('check tells everything that is wrong with a file, and starts nothing', async () => {
  const path = 'test/fixtures/broken-configs/five-at-once.yaml';
  await using bad = vane('check', '-f', path);
  expect(await bad.ended).toBe(1);
  const lines = bad.output().trim().split('\n');
  expect(lines).toHaveLength(5);
  for (const line of lines)
    expect(line).toMatch(/^test\/fixtures\/broken-configs\/five-at-once\.yaml:\d+:\d+: /);
  await using good = vane('check', '-f', 'haproxy-examples/quickstart/vane.yaml');
  expect(await good.ended).toBe(0);
  expect(good.output()).toContain('1 frontend, 1 backend');
});

test('schema prints what docs/vane.schema.json holds', async () => {
  await using schema = vane('schema');
  expect(await schema.ended).toBe(0);
  expect(JSON.parse(schema.output())).toEqual(JSON.parse(readText('docs/vane.schema.json')));
});

test.each([
  [[], 2, 'Usage: vane'],
  [['run'], 2, "required option '-f, --file <path>'"],
  [['check', '-f'], 2, 'argument missing'],
  [['chek', '-f', 'x'], 2, 'did you mean check'],
  [['check', '-f', '/no/such.yaml'], 1, '/no/such.yaml:1:1: cannot be read'],
  [['run', '-f', 'test/fixtures/broken-configs/typo-in-section.yaml'], 1, 'typo-in-section.yaml:'],
  [['--help'], 0, 'Usage: vane'],
  [['run', '--help'], 0, 'Usage: vane run'],
] as [string[], number, string][])('vane %j ends with %i', async (args, code, text) => {
  await using program = vane(...args);
  expect(await program.ended, program.output()).toBe(code);
  expect(program.output().toLowerCase()).toContain(text.toLowerCase());
});

test('run that cannot listen says where, and ends with 1', async () => {
  await using squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
  const address = squatter.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { text, stats } = await config(`127.0.0.1:${port}`);
  await using program = vane('run', '-f', file('taken.yaml', text));
  expect(await program.ended, program.output()).toBe(1);
  expect(program.output()).toMatch(
    new RegExp(`"code":"BIND_FAILED".*frontend www: 127.0.0.1:${port}: .*EADDRINUSE`),
  );
  await expect(fetch(`http://${stats}/healthz`)).rejects.toThrow();
});

test('HUP reads the file again; one with mistakes changes nothing', async () => {
  const [first = '', second = ''] = await freeAddresses(2);
  const { text } = await config(first);
  const path = file('hup.yaml', text);
  await using program = vane('run', '-f', path);
  await program.says(/vane is ready/);
  writeFileSync(path, text.replace('default_backend: web', 'default_backend: wbe'));
  program.signal('SIGHUP');
  await program.says(/configuration not taken/);
  expect(program.output()).toContain('did you mean web?');
  expect((await fetch(`http://${first}/`)).status).toBe(503);
  writeFileSync(path, text.replace(first, second).replace('20s', '20s, node: other'));
  program.signal('SIGHUP');
  await program.says(/configuration taken/);
  expect(program.output()).toMatch(/"setting":"global.node".*needs a restart/);
  expect((await fetch(`http://${second}/`)).status).toBe(503);
  // Connections that are open stay, so this takes a new one.
  await expect(connects(first)).resolves.toBe(false);
  program.signal('SIGTERM');
  expect(await program.ended, program.output()).toBe(0);
});

test('a second INT ends it at once', async () => {
  const [address = ''] = await freeAddresses(1);
  const { text, stats } = await config(address);
  await using program = vane(
    'run',
    '-f',
    file('int.yaml', text.replace('web.service.consul', `"${await silentServer()}"`)),
  );
  await program.says(/vane is ready/);
  const cut = fetch(`http://${address}/`).then(
    () => 'answered',
    () => 'cut',
  );
  await eventually(async () => {
    const metrics = await (await fetch(`http://${stats}/metrics`)).text();
    expect(metrics).toMatch(/haproxy_backend_current_sessions\{proxy="web"\} 1/);
  });
  program.signal('SIGINT');
  await program.says(/"msg":"stopping"/);
  // Sooner it would be taken for the same Ctrl-C.
  const deadline = performance.now() + 600;
  await eventually(() => expect(performance.now()).toBeGreaterThan(deadline));
  program.signal('SIGINT');
  expect(await program.ended).toBe(130);
  expect(await cut).toBe('cut');
});

test('a reader of its log that has stalled does not keep it from ending', async () => {
  const [address = ''] = await freeAddresses(1);
  const { text, stats } = await config(address);
  const path = file('stalled.yaml', text.replace('www: {', 'www: { option: [httplog],'));
  const program = spawn(process.execPath, ['src/bin/vane.mjs', 'run', '-f', path], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    // More than a pipe and the streams at both its ends hold, to which nobody listens here.
    await eventually(async () => expect((await fetch(`http://${stats}/readyz`)).ok).toBe(true), 20_000);
    for (let sent = 0; sent < 100; sent++) await fetch(`http://${address}/${'x'.repeat(8_000)}`);
    program.kill('SIGTERM');
    expect(await once(program, 'exit')).toEqual([0, null]);
  } finally {
    program.kill('SIGKILL');
  }
});

test('a signal that only other load balancers stop upon is told and does nothing', async () => {
  const [address = ''] = await freeAddresses(1);
  const { text } = await config(address);
  await using program = vane('run', '-f', file('foreign.yaml', text));
  await program.says(/vane is ready/);
  program.signal('SIGUSR1');
  await program.says(/"signal":"SIGUSR1".*ignored/);
  expect(program.output()).not.toContain('Debugger listening');
  program.signal('SIGTERM');
  expect(await program.ended, program.output()).toBe(0);
});

test('a HUP that comes while it begins is none that ends it', async () => {
  // Sent by itself as soon as the program it is has begun to load.
  const hup =
    "import { registerHooks } from 'node:module'; let sent = false;\
    registerHooks({ resolve(name, context, next) {\
      if (name.endsWith('main.ts') && !sent) { sent = true; process.kill(process.pid, 'SIGHUP'); }\
      return next(name, context); } });";
  await using program = startProgram(process.execPath, [
    '--import',
    `data:text/javascript,${encodeURIComponent(hup)}`,
    'src/bin/vane.mjs',
    'version',
  ]);
  expect(await program.ended, program.output()).toBe(0);
});

test('with few files that may be open, maxconn is what can be served, and that is told', async () => {
  const [address = ''] = await freeAddresses(1);
  const { text, stats } = await config(address);
  const path = file('files.yaml', text);
  const limited = `ulimit -n 150; exec ${process.execPath} src/bin/vane.mjs run -f ${path}`;
  await using program = startProgram('bash', ['-c', limited]);
  await program.says(/"level":"warn".*"maxconn":50,"configured":20000,"openFiles":150/);
  await program.says(/vane is ready/);
  const metrics = await (await fetch(`http://${stats}/metrics`)).text();
  expect(metrics).toContain('haproxy_process_max_connections 50');
  program.signal('SIGTERM');
  expect(await program.ended, program.output()).toBe(0);
});

function connects(address: string): Promise<boolean> {
  const [host = '', port] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** An address where connections open and nothing is ever said. */
async function silentServer(): Promise<string> {
  const server = createServer().unref();
  afterAll(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}
