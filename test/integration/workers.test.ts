import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Places, startVane, type Vane } from '../helpers/drill-vane.ts';
import { closeAll, openConnections, runningWorkers, workerPids } from '../helpers/drill-workers.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { isRunning, startProgram } from '../helpers/program.ts';
import { startWeb } from '../helpers/web.ts';

const config =
  (server: string, settings = '') =>
  ({ frontend, other, stats }: Places) =>
    `
global: { workers: 2, stats: { bind: "${stats}" }, hard-stop-after: 20s${settings} }
registry: off
frontends:
  www: { bind: ["${frontend}", "${other}"], default_backend: web, maxconn: 100, option: httplog }
backends: { web: { servers: ["${server}"] } }
`;

async function startWith(text: (places: Places) => string): Promise<Vane> {
  const vane = await startVane(text);
  onTestFinished(async () => {
    await vane[Symbol.asyncDispose]();
    await eventually(() => expect(runningWorkers(vane.output())).toEqual([]), 20_000);
  });
  return vane;
}

test('limits are shown whole, whatever the share of each worker', async () => {
  await using web = await startWeb('hello');
  const vane = await startWith(config(`127.0.0.1:${web.port}`, ', maxconn: 1001'));
  const metrics = await vane.metrics();
  expect(metrics).toMatch(/haproxy_frontend_limit_sessions\{proxy="www"\} 100\n/);
  expect(metrics).toMatch(/haproxy_process_max_connections 1001\n/);
});

test('workers do not act on signals that a terminal sends to all', async () => {
  await using web = await startWeb('hello');
  const vane = await startWith(config(`127.0.0.1:${web.port}`));
  const pids = workerPids(vane.output());
  for (const pid of pids)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']) process.kill(pid, signal);
  for (let i = 0; i < 10; i++) {
    expect(await (await fetch(`http://${vane.places.frontend}/`)).text()).toBe('hello');
    await vane.metrics();
  }
  expect(pids.filter(isRunning)).toEqual(pids);
});

test('a second INT ends the workers too, at once', async () => {
  const silent = createServer();
  onTestFinished(() => void silent.close());
  const port = await listening(silent);
  const vane = await startWith(config(`127.0.0.1:${port}`));
  const pids = workerPids(vane.output());
  const cut = fetch(`http://${vane.places.frontend}/`).then(
    () => 'answered',
    () => 'cut',
  );
  await eventually(async () =>
    expect(await vane.metrics()).toMatch(/haproxy_backend_current_sessions\{proxy="web"\} 1\n/),
  );
  vane.signal('SIGINT');
  await vane.says(/"msg":"stopping"/);
  // Sooner it would be taken for the same Ctrl-C.
  const deadline = performance.now() + 600;
  await eventually(() => expect(performance.now()).toBeGreaterThan(deadline));
  expect(pids.filter(isRunning)).toEqual(pids);
  vane.signal('SIGINT');
  expect(await vane.ended).toBe(130);
  expect(await cut).toBe('cut');
  await eventually(() => expect(pids.filter(isRunning)).toEqual([]));
});

test('an address that is taken ends the start, and no worker is left', async () => {
  await using squatter = createServer();
  const taken = `127.0.0.1:${await listening(squatter)}`;
  const [frontend = '', stats = '', http = '', dns = ''] = await freeAddresses(4);
  const folder = mkdtempSync(join(tmpdir(), 'vane-workers-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'vane.yaml');
  writeFileSync(file, config('127.0.0.1:9')({ frontend, other: taken, stats, http, dns }));
  await using program = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', file]);
  expect(await program.ended, program.output()).toBe(1);
  expect(program.output()).toMatch(new RegExp(`frontend www: ${taken}: .*EADDRINUSE`));
  expect(workerPids(program.output())).toHaveLength(2);
  expect(runningWorkers(program.output())).toEqual([]);
});

test('their number is not changed by a reload, which says so', async () => {
  await using web = await startWeb('hello');
  const text = config(`127.0.0.1:${web.port}`);
  const vane = await startWith(text);
  vane.rewrite(text(vane.places).replace('workers: 2', 'workers: 3'));
  vane.signal('SIGHUP');
  await vane.says(/configuration taken/);
  expect(vane.output()).toMatch(/"setting":"global.workers".*needs a restart/);
  expect(workerPids(vane.output())).toHaveLength(2);
});

test('all workers together listen on every address, and serve what they have taken over after a reload', async () => {
  await using a = await startWeb('a');
  await using b = await startWeb('b');
  const vane = await startWith(config(`127.0.0.1:${a.port}`));
  const ports = [vane.places.frontend, vane.places.other].map((place) => Number(place.split(':')[1]));
  const clients = (await Promise.all(ports.map((port) => openConnections(port, 12)))).flat();
  onTestFinished(() => closeAll(clients));
  vane.rewrite(config(`127.0.0.1:${b.port}`)(vane.places));
  vane.signal('SIGHUP');
  await vane.says(/configuration taken/);
  for (const client of clients) {
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.answer()).body).toBe('b');
  }
});

/** Has a server listen on a port of its own. */
async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
