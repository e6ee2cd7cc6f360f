import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, test } from 'vitest';
import { freeAddresses } from '../../helpers/free-port.ts';
import { type Program, startProgram } from '../../helpers/program.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-status-'));
afterAll(() => rmSync(folder, { recursive: true }));

function vane(...args: string[]): Program {
  return startProgram(process.execPath, ['src/bin/vane.mjs', ...args]);
}

/** A configuration whose servers nobody runs. */
async function config() {
  const [stats, vip, db1, db2] = await freeAddresses(4);
  const path = join(folder, 'vane.yaml');
  writeFileSync(
    path,
    `
global: { stats: { bind: "${stats}" }, data-dir: "${folder}" }
registry: { http: off, dns: off }
mysql-vip:
  main:
    bind: ${vip}
    servers: { db1: { address: "${db1}", role: master }, db2: { address: "${db2}", role: slave } }
    monitor: { user: mon, interval: 100ms }
    hold: { time: 5m }
`,
  );
  return { path, stats, vip };
}

test('status tells where a vip leads and why, and stopping does not wait for clients that are held', async () => {
  const { path, stats, vip } = await config();
  await using running = vane('run', '-f', path);
  await running.says(/vane is ready.*|"listening":\["main \(rw\)/);
  await running.says(/has no server to lead to/);
  const [host = '', port = ''] = (vip ?? '').split(':');
  const held = connect(Number(port), host);
  const told = text(held);
  await new Promise((resolve) => held.once('connect', resolve));

  await using status = vane('mysql-vip', 'status', '-f', path);
  expect(await status.ended).toBe(0);
  expect(status.output()).toMatch(/^main: NONE, leads nowhere, epoch 0, for \d/);
  expect(status.output()).toMatch(/\n {2}db1 {2}master {2}127\.0\.0\.1:\d+ +down: .*ECONNREFUSED/);
  expect(status.output()).toContain('alarm db1 dead: ');
  await using json = vane('mysql-vip', 'status', '--json', '-f', path);
  expect(await json.ended).toBe(0);
  expect(JSON.parse(json.output())).toMatchObject([{ name: 'main', phase: 'NONE', held: 1 }]);
  const answer = await fetch(`http://${stats}/mysql-vip`);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');

  running.signal('SIGTERM');
  expect(await told).toContain('vane: this proxy stops');
  expect(await running.ended).toBe(0);
  await using late = vane('mysql-vip', 'status', '-f', path);
  expect(await late.ended).toBe(1);
  expect(late.output()).toMatch(/^No status: http:.* does not answer/);
});

test('orders are followed, only told of, or refused; and what stands outlives a restart', async () => {
  const { path, stats } = await config();
  const order = async (...args: string[]) => {
    await using told = vane('mysql-vip', ...args, '-f', path);
    const code = await told.ended;
    return `${code} ${told.output().trim()}`;
  };
  {
    await using running = vane('run', '-f', path);
    await running.says(/has no server to lead to/);
    expect(await order('freeze', '--for', '1h', '--dry-run')).toMatch(
      /^0 freeze would be done: nobody is led/,
    );
    expect(await order('freeze', '--for', '1h')).toBe('0 freeze: nobody is led elsewhere');
    expect(await order('pause', '--vip', 'main')).toBe('0 pause: new clients are held');
    expect(await order('switchover')).toBe('1 Not done: it is frozen');
    expect(await order('drain', 'db1')).toMatch(/^1 Not done: db1 is the master/);
    expect(await order('pause', '--vip', 'other')).toMatch(
      /^1 Not done: there is no such mysql-vip; there are main/,
    );
    expect(await order('freeze', '--for', 'ever')).toMatch(/^2 .*expected a duration/s);
    expect(running.output()).toContain('mysql-vip main is told: freeze');
    const page = await fetch(`http://${stats}/mysql-vip`, {
      method: 'POST',
      headers: { origin: 'http://example.com', 'content-type': 'application/json' },
      body: '{"order":"resume"}',
    });
    expect(page.status).toBe(403);
    running.signal('SIGTERM');
    await running.ended;
  }
  await using again = vane('run', '-f', path);
  await again.says(/has no server to lead to/);
  expect(await order('status')).toMatch(/\n {2}paused: new clients are held\n {2}frozen for 3\d\d\d/);
  expect(await order('resume')).toMatch(/^0/);
  expect(await order('status')).not.toContain('paused');
  // It starts a dozen processes, which a busy machine takes its time for.
}, 90_000);

test('an address that is taken is told, and nothing is left running', async () => {
  const { path, vip } = await config();
  const [host, port] = (vip ?? '').split(':');
  const other = createServer().listen(Number(port), host);
  await once(other, 'listening');
  await using running = vane('run', '-f', path);
  expect(await running.ended).toBe(1);
  expect(running.output()).toContain(`mysql-vip main cannot listen on ${vip}: bind EADDRINUSE`);
  other.close();
});

test('check counts them', async () => {
  await using good = vane('check', '-f', 'haproxy-examples/mysql-vip/vane.yaml');
  expect(await good.ended).toBe(0);
  expect(good.output()).toContain('1 MySQL VIP.');
});
