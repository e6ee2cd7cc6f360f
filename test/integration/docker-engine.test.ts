import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { dockerProbe } from '../../src/health/docker.ts';
import { DockerEngine } from '../helpers/docker-engine.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { startProgram } from '../helpers/program.ts';

/** The check against a real engine (Debian's docker.io) and a container of its own; skipped where none can run. */
let folder: string;
let engine: DockerEngine | string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vane-docker-'));
  engine = await DockerEngine.start(folder);
  if (typeof engine !== 'string') await engine.run('web');
}, 60_000);
afterAll(async () => {
  if (typeof engine !== 'string') await engine.stop();
  rmSync(folder, { recursive: true });
}, 60_000);
beforeEach(({ skip }) => skip(typeof engine === 'string', String(engine)));

function started(): DockerEngine {
  if (typeof engine === 'string') throw new Error(engine);
  return engine;
}

const patient = () => new AbortController().signal;

function check(args: readonly string[], { shell = '', container = 'web', signal = patient() } = {}) {
  const options = { dockerHost: started().host, timeout: 1_000, outputMaxSize: 4096 };
  return dockerProbe({ kind: 'docker', container, args, shell }, options).run(signal);
}

describe("Consul's Docker check", () => {
  test.each([
    ['exit 0', 'passing', 'PROCOK'],
    ['exit 1', 'warning', 'PROCERR'],
    ['exit 2', 'critical', 'PROCERR'],
    ['kill -KILL $$', 'critical', 'PROCERR'],
  ])('%s is %s', async (line, status, code) => {
    const result = await check([`echo said; echo so >&2; ${line}`], { shell: '/bin/sh' });
    expect(result).toEqual({
      status,
      output: expect.stringMatching(/^(said\nso\n|so\nsaid\n)$/),
      code,
      httpStatus: undefined,
    });
  });

  test('runs without a shell: what looks like one is an argument', async () => {
    const result = await check(['/bin/sh', '-c', 'echo "$1"', 'x', '$HOME; exit 3']);
    expect(result).toMatchObject({ status: 'passing', output: '$HOME; exit 3\n' });
  });

  test('keeps the last 4 KiB of what a program writes', async () => {
    const line = 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done';
    const { output } = await check([line], { shell: '/bin/sh' });
    expect(output).toMatch(/^Captured 4096 of 28890 bytes\n\.\.\.\n/);
    expect(output).toMatch(/\nline 2998\nline 2999\n$/);
  });

  test('is critical where there is no such program or container', async () => {
    expect(await check(['/bin/none'])).toMatchObject({
      status: 'critical',
      output: expect.stringContaining('/bin/none'),
    });
    expect(await check(['/bin/sh'], { container: 'none' })).toMatchObject({
      status: 'critical',
      output: 'create exec failed for unknown container none',
    });
  });

  test('is critical while the container is paused', async () => {
    await started().run('paused');
    await started().docker('pause', 'paused');
    expect(await check(['/bin/sh'], { container: 'paused' })).toMatchObject({
      status: 'critical',
      output: 'create exec failed since container paused is paused or stopped',
    });
    await started().docker('unpause', 'paused');
  });

  test('waits for a program that has closed its output', async () => {
    const result = await check(['echo said; exec >&- 2>&-; sleep 0.3; exit 1'], { shell: '/bin/sh' });
    expect(result).toMatchObject({ status: 'warning', output: 'said\n' });
  });

  test('ends at its timeout, and leaves the program to its container', async () => {
    const timeout = new AbortController();
    const run = check(['/bin/sleep', '3123'], { signal: timeout.signal });
    const processes = () => started().docker('top', 'web');
    await eventually(async () => expect(await processes()).toContain('/bin/sleep 3123'), 20_000);
    timeout.abort();
    expect(await run).toMatchObject({
      status: 'critical',
      output: 'Timed out (1s) running check',
      code: 'PROCTOUT',
    });
    expect(await processes()).toContain('/bin/sleep 3123');
  });
});

test('vane runs a Docker check of a definition file in the container', async () => {
  const [stats, http, dns] = await freeAddresses(3);
  writeFileSync(
    join(folder, 'web.hcl'),
    `service {
  name = "web"
  check {
    docker_container_id = "web"
    shell               = "/bin/sh"
    args                = ["echo in the container; exit 1"]
    interval            = "1s"
  }
}`,
  );
  writeFileSync(
    join(folder, 'vane.yaml'),
    `
global: { node: lb-1, stats: { bind: "${stats}" }, hard-stop-after: 2s }
registry: { http: "${http}", dns: "${dns}", services: ${folder}/web.hcl, script-checks: files, docker-host: "${started().host}" }
backends: { web: { servers: [web.service.consul] } }
`,
  );
  await using vane = startProgram(process.execPath, [
    'src/bin/vane.mjs',
    'run',
    '-f',
    join(folder, 'vane.yaml'),
  ]);
  await vane.says(/vane is ready/);
  await eventually(async () => {
    const answer = await fetch(`http://${http}/v1/agent/checks`);
    expect(await answer.json()).toMatchObject({
      'service:web': { Type: 'docker', Status: 'warning', Output: 'in the container\n' },
    });
  }, 20_000);
});
