import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { type Places, startVane, type Vane } from '../helpers/drill-vane.ts';
import { runningWorkers, workerPids } from '../helpers/drill-workers.ts';
import { eventually } from '../helpers/eventually.ts';
import { isRunning, type Program, startProgram } from '../helpers/program.ts';
import { startWeb } from '../helpers/web.ts';

const folder = mkdtempSync(join(tmpdir(), 'vane-reload-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

function newFile(text?: string): string {
  const path = join(folder, String(++files));
  if (text !== undefined) writeFileSync(path, text);
  return path;
}

const config =
  (global: string, server = '127.0.0.1:9') =>
  ({ frontend, stats }: Places) =>
    `
global: { stats: { bind: "${stats}" }, hard-stop-after: 20s, ${global} }
registry: off
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: ["${server}"] } }
`;

async function start(text: (places: Places) => string): Promise<Vane> {
  const vane = await startVane(text);
  onTestFinished(async () => {
    await vane[Symbol.asyncDispose]();
    await eventually(() => expect(runningWorkers(vane.output())).toEqual([]), 20_000);
  });
  return vane;
}

async function reload(...args: string[]): Promise<{ readonly code: unknown; readonly output: string }> {
  await using command = startProgram(process.execPath, ['src/bin/vane.mjs', 'reload', ...args]);
  return { code: await command.ended, output: command.output() };
}

test('reload has the process that the pid file names read its configuration again', async () => {
  const pidfile = newFile();
  const vane = await start(config(`pidfile: "${pidfile}"`));
  expect(readFileSync(pidfile, 'utf8')).toBe(`${vane.pid}\n`);
  const file = newFile(config(`pidfile: "${pidfile}"`)(vane.places));
  const ways = [
    ['--pid', String(vane.pid)],
    ['--pidfile', pidfile],
    ['-f', file],
  ];
  for (const [i, way] of ways.entries()) {
    const { code, output } = await reload(...way);
    expect(output).toBe(
      `SIGHUP sent to process ${vane.pid}. Its log says "configuration taken", or "configuration not taken" and why.\n`,
    );
    expect(code).toBe(0);
    await eventually(() => expect(vane.output().match(/configuration taken/g)).toHaveLength(i + 1));
  }
  vane.signal('SIGTERM');
  expect(await vane.ended, vane.output()).toBe(0);
  expect(existsSync(pidfile)).toBe(false);
  const { code, output } = await reload('--pidfile', pidfile);
  expect(code).toBe(1);
  expect(output).toMatch(/^Not reloaded: ENOENT/);
});

test('reload --workers replaces the workers, which then run what is installed', async () => {
  await using web = await startWeb('hello');
  const vane = await start(config('workers: 2', `127.0.0.1:${web.port}`));
  const before = workerPids(vane.output());
  const { code, output } = await reload('--workers', '--pid', String(vane.pid));
  expect(output).toMatch(/^SIGUSR2 sent to process \d+\. Its log says "workers have been replaced"/);
  expect(code).toBe(0);
  await vane.says(/"replaced":2,"of":2,"cut":0,"msg":"workers have been replaced"/);
  expect(before.filter(isRunning)).toEqual([]);
  expect(runningWorkers(vane.output())).toHaveLength(2);
  expect(await (await fetch(`http://${vane.places.frontend}/`)).text()).toBe('hello');
});

test('reload --workers of a Vane without workers is told in its log', async () => {
  const vane = await start(config('workers: 0'));
  expect((await reload('--workers', '--pid', String(vane.pid))).code).toBe(0);
  await vane.says(/"level":"warn".*no workers to replace: global.workers is 0/);
});

test('a broken configuration is told, and nothing is sent', async () => {
  const pidfile = newFile();
  const vane = await start(config(`pidfile: "${pidfile}"`));
  const broken = newFile(`global: { pidfile: "${pidfile}", maxcon: 1 }`);
  const { code, output } = await reload('-f', broken);
  expect(code).toBe(1);
  expect(output).toMatch(/:1:\d+: .*maxconn/);
  const { output: nothing } = await reload('-f', newFile('global: { maxconn: 1 }'));
  expect(nothing).toContain('has no global.pidfile: say --pid or --pidfile');
  expect(vane.output()).not.toMatch(/configuration (?:not )?taken/);
});

test('no process is signalled that is not a running Vane', async () => {
  // Each would be ended by either signal.
  const others: readonly (readonly [string, readonly string[]])[] = [
    ['sleep', ['60']],
    [process.execPath, ['-e', 'setTimeout(() => {}, 60_000)', 'vane', 'check']],
  ];
  for (const [command, args] of others) {
    await using other: Program = startProgram(command, args);
    const pidfile = newFile(`${other.pid}\n`);
    // It is itself only once it has begun.
    const line = `/proc/${other.pid}/cmdline`;
    await eventually(() => expect(readFileSync(line, 'utf8')).toBe(`${[command, ...args].join('\0')}\0`));
    for (const more of [[], ['--workers']]) {
      expect(await runCli(['reload', ...more, '--pidfile', pidfile])).toBe(1);
      expect(await runCli(['reload', ...more, '--pid', String(other.pid)])).toBe(1);
    }
    expect(isRunning(other.pid)).toBe(true);
  }
  const { code, output } = await reload('--pid', String(process.pid));
  expect(output).toBe(`Not reloaded: process ${process.pid} is not a running Vane\n`);
  expect(code).toBe(1);
  // Not one process, and none: no id on Linux is larger than 2^22.
  for (const text of ['-1', '0', '1 2', '', '4194305']) {
    expect(await runCli(['reload', '--pidfile', newFile(text)]), text).toBe(1);
  }
});

test('a Vane that was started by a link to its command is known as one', async () => {
  const link = join(folder, 'vane');
  symlinkSync(join(process.cwd(), 'src/bin/vane.mjs'), link);
  const vane = await start(config('workers: 0'));
  const file = newFile(config('workers: 0')(vane.places));
  vane.signal('SIGTERM');
  await vane.ended;
  await using linked = startProgram(process.execPath, [link, 'run', '-f', file]);
  await linked.says(/vane is ready/);
  expect(await reload('--pid', String(linked.pid))).toMatchObject({ code: 0 });
  await linked.says(/configuration taken/);
});

test('reload that does not say which one process is wrong usage', async () => {
  const none = await reload('--workers');
  expect(none.code).toBe(2);
  expect(none.output).toContain('error: say which process: --pid, --pidfile or --file');
  expect(none.output).toContain('Usage: vane reload');
  const lines = [[], ['--pid', '1', '--pidfile', 'x'], ['--pid', '-1'], ['--pid', '0'], ['--pid', 'vane']];
  for (const args of lines) expect(await runCli(['reload', ...args]), args.join(' ')).toBe(2);
});

test('a pid file that cannot be written ends the start, and leaves nothing running', async () => {
  const pidfile = join(folder, 'no', 'such', 'folder');
  const file = newFile();
  await using other = await startVane(config('workers: 0'));
  other.signal('SIGTERM');
  await other.ended;
  writeFileSync(file, config(`workers: 1, pidfile: "${pidfile}"`)(other.places));
  await using vane = startProgram(process.execPath, ['src/bin/vane.mjs', 'run', '-f', file]);
  expect(await vane.ended, vane.output()).toBe(1);
  expect(vane.output()).toMatch(/"code":"CONFIG_INVALID","error":"global.pidfile: ENOENT/);
  expect(runningWorkers(vane.output())).toEqual([]);
});

test('the pid file of another Vane that was started meanwhile stays, and so does one that cannot start', async () => {
  const pidfile = newFile();
  const first = await start(config(`pidfile: "${pidfile}"`));
  await using refused = startProgram(process.execPath, [
    'src/bin/vane.mjs',
    'run',
    '-f',
    newFile(config(`pidfile: "${pidfile}"`)(first.places)),
  ]);
  expect(await refused.ended).toBe(1);
  expect(readFileSync(pidfile, 'utf8')).toBe(`${first.pid}\n`);
  const second = await start(config(`pidfile: "${pidfile}"`));
  first.signal('SIGTERM');
  await first.ended;
  expect(readFileSync(pidfile, 'utf8')).toBe(`${second.pid}\n`);
});
