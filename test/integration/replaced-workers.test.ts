import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startInstances } from '../helpers/drill-instances.ts';
import { ask, cameTooLate, Load, problems } from '../helpers/drill-load.ts';
import { answeredBy, metricOf, type Places, startVane, type Vane } from '../helpers/drill-vane.ts';
import { openWebSockets } from '../helpers/drill-web-sockets.ts';
import { runningWorkers, workerPids } from '../helpers/drill-workers.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { isRunning, type Program, startProgram } from '../helpers/program.ts';
import { ROOT } from '../helpers/source-tree.ts';
import { startWeb } from '../helpers/web.ts';

const WORKERS = 2;

const config =
  (server: string, hardStopAfter = '20s') =>
  ({ frontend, stats }: Pick<Places, 'frontend' | 'stats'>) =>
    `
global: { workers: ${WORKERS}, stats: { bind: "${stats}" }, hard-stop-after: ${hardStopAfter} }
registry: off
frontends: { www: { bind: "${frontend}", default_backend: web } }
backends: { web: { servers: ["${server}"] } }
`;

async function start(hardStopAfter?: string) {
  const instances = await startInstances('web-1');
  const vane = await startVane(config(instances.addresses.get('web-1') ?? '', hardStopAfter));
  onTestFinished(async () => {
    await vane[Symbol.asyncDispose]();
    await instances[Symbol.asyncDispose]();
    await noneLeft(vane);
  });
  await answeredBy(vane.port, ['web-1']);
  return { instances, vane };
}

const noneLeft = (vane: Program) =>
  eventually(() => expect(runningWorkers(vane.output())).toEqual([]), 20_000);

/** Waits until other workers have taken the places of those there were. */
async function replaced(vane: Vane): Promise<void> {
  vane.signal('SIGUSR2');
  await eventually(() => expect(vane.output().match(/worker takes over/g)).toHaveLength(WORKERS), 20_000);
}

test('new workers run what is on disk; when that does not run, the old ones stay', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'vane-copy-'));
  onTestFinished(() => rmSync(copy, { recursive: true }));
  for (const path of ['src', 'package.json']) cpSync(join(ROOT, path), join(copy, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const program = join(copy, 'src/worker.ts');
  const [frontend = '', stats = ''] = await freeAddresses(2);
  const file = join(copy, 'vane.yaml');
  await using instances = await startInstances('web-1');
  writeFileSync(file, config(instances.addresses.get('web-1') ?? '')({ frontend, stats }));
  const port = Number(frontend.split(':')[1]);
  await using vane = startProgram(process.execPath, [join(copy, 'src/bin/vane.mjs'), 'run', '-f', file]);
  await vane.says(/vane is ready/);
  const before = runningWorkers(vane.output());

  const good = readFileSync(program, 'utf8');
  writeFileSync(program, good.replace('process.argv[2] !==', 'process.argv[2] ==='));
  vane.signal('SIGUSR2');
  await vane.says(/"replaced":0,"of":2,"error":"worker 1 has ended: exit code 1".*workers not replaced/);
  expect(vane.output()).toContain('worker is of a version that the running one cannot use: restart Vane');
  expect(runningWorkers(vane.output())).toEqual(before);
  expect((await ask(port, '/fast')).problem).toBeUndefined();

  writeFileSync(program, good);
  appendFileSync(program, 'output.write(Buffer.from(`{"msg":"the new code runs"}\\n`));\n');
  vane.signal('SIGUSR2');
  await vane.says(/"replaced":2,"of":2,"cut":0,"msg":"workers have been replaced"/);
  expect(vane.output().match(/the new code runs/g)).toHaveLength(WORKERS);
  expect((await ask(port, '/fast')).problem).toBeUndefined();
  vane.signal('SIGTERM');
  expect(await vane.ended, vane.output()).toBe(0);
  expect(runningWorkers(vane.output())).toEqual([]);
});

test('what has begun in a worker that is replaced is finished, and counted', async () => {
  const { vane, begin } = await startHolding();
  const before = workerPids(vane.output());
  const { answers, finish } = await begin(8);
  await replaced(vane);
  expect(before.filter(isRunning).length).toBeGreaterThan(0);
  expect(vane.output()).not.toContain('workers have been replaced');
  finish();
  expect(await answers).toEqual(Array(8).fill('done'));
  await vane.says(/"cut":0,"msg":"workers have been replaced"/);
  expect(before.filter(isRunning)).toEqual([]);
  const requests = 'haproxy_server_http_requests_total';
  expect(metricOf(await vane.metrics(), requests)).toBe(8);
});

test('a stop while workers are replaced ends old and new ones in time', async () => {
  const { vane } = await start('2s');
  await openWebSockets(vane.port, 6);
  await replaced(vane);
  const since = performance.now();
  vane.signal('SIGTERM');
  expect(await vane.ended, vane.output()).toBe(0);
  expect(performance.now() - since).toBeLessThan(10_000);
  await noneLeft(vane);
});

test.each([0, 40, 120, 200, 280, 360])(
  'a stop %i ms after replacing was asked for cuts no request',
  async (ms) => {
    const { vane } = await start();
    await using load = new Load({ port: vane.port, pause: 3 });
    await load.more(50);
    vane.signal('SIGUSR2');
    await vane.says(/workers are being replaced/);
    const at = performance.now() + ms;
    await eventually(() => expect(performance.now()).toBeGreaterThan(at));
    vane.signal('SIGTERM');
    expect(await vane.ended, vane.output()).toBe(0);
    await load.stop();
    expect(problems(load.failed.filter((one) => !cameTooLate(one)))).toEqual({});
    await noneLeft(vane);
  },
);

test('when the first process is killed, replaced workers finish what they have, too', async () => {
  const { vane, begin } = await startHolding();
  const { answers, finish } = await begin(8);
  await replaced(vane);
  vane.signal('SIGKILL');
  await vane.ended;
  finish();
  expect(await answers).toEqual(Array(8).fill('done'));
  await noneLeft(vane);
});

/** A server that answers when it is told to. */
async function startHolding() {
  const held: (() => void)[] = [];
  const web = await startWeb((_request, response) => held.push(() => response.end('done')));
  const vane = await startVane(config(`127.0.0.1:${web.port}`));
  onTestFinished(async () => {
    await vane[Symbol.asyncDispose]();
    await web[Symbol.asyncDispose]();
    await noneLeft(vane);
  });
  return {
    vane,
    async begin(count: number) {
      const url = `http://${vane.places.frontend}/`;
      const answers = Promise.all(
        Array.from({ length: count }, async () => (await fetch(url)).text().catch(String)),
      );
      await eventually(() => expect(held).toHaveLength(count));
      const finish = () => {
        for (const answer of held) answer();
      };
      return { answers, finish };
    },
  };
}
