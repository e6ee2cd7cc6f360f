import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { scriptProbe } from '../../src/health/script.ts';
import { eventually } from '../helpers/eventually.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vane-script-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function script(args: readonly string[], shell = '', outputMaxSize = 4096) {
  return scriptProbe({ kind: 'script', args, shell }, { timeout: 1000, outputMaxSize });
}

/** Runs a command line of `sh` by its own arguments, as a definition would. */
function sh(line: string, outputMaxSize?: number) {
  return script(['/bin/sh', '-c', line], '', outputMaxSize);
}

const patient = () => new AbortController().signal;

/** Resolves to the process ids that a script wrote into `name`, one a line, once there are `count`. */
function pidsIn(name: string, count: number): Promise<number[]> {
  return eventually(async () => {
    const lines = (await readFile(join(dir, name), 'utf8')).split('\n').slice(0, -1);
    expect(lines).toHaveLength(count);
    return lines.map(Number);
  });
}

/** A killed process may stay a zombie for a moment when its parent is gone, so its state is read, not its being there. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const state = /\) (\S)/.exec(stat)?.[1];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

describe("Consul's script check", () => {
  test.each([
    ['exit 0', 'passing', 'PROCOK'],
    ['exit 1', 'warning', 'PROCERR'],
    ['exit 2', 'critical', 'PROCERR'],
    ['exit 255', 'critical', 'PROCERR'],
    ['kill -TERM $$', 'critical', 'PROCERR'],
  ])('%s is %s', async (line, status, code) => {
    expect(await sh(`echo said; echo so >&2; ${line}`).run(patient())).toEqual({
      status,
      output: expect.stringMatching(/^(said\nso\n|so\nsaid\n)$/),
      code,
      httpStatus: undefined,
    });
  });

  test('runs without a shell: what looks like one is an argument', async () => {
    const result = await script(['/bin/echo', '$HOME; exit 3', '`id`']).run(patient());
    expect(result).toMatchObject({ status: 'passing', output: '$HOME; exit 3 `id`\n' });
  });

  test('a named shell gets the arguments as its command line', async () => {
    const result = await script(['echo $((1 + 2));', 'exit 1'], '/bin/sh').run(patient());
    expect(result).toMatchObject({ status: 'warning', output: '3\n' });
  });

  test('keeps the end of long output and says so', async () => {
    const result = await sh("head -c 5000 /dev/zero | tr '\\0' q; printf END").run(patient());
    expect(result.output).toBe(`Captured 4096 of 5003 bytes\n...\n${'q'.repeat(4093)}END`);
    expect((await sh('printf 0123456789', 4).run(patient())).output).toBe(
      'Captured 4 of 10 bytes\n...\n6789',
    );
  });

  test('does not read standard input and does not see the secrets of this process', async () => {
    process.env.VANE_TEST_SECRET = 'hush';
    try {
      const result = await sh('cat; env').run(patient());
      expect(result.status).toBe('passing');
      expect(result.output).toContain('PATH=');
      expect(result.output).not.toContain('hush');
    } finally {
      delete process.env.VANE_TEST_SECRET;
    }
  });

  test.each([
    [['/nonexistent/check'], '', 'fork/exec /nonexistent/check: no such file or directory'],
    [['no-such-program-here'], '', 'exec: "no-such-program-here": executable file not found in $PATH'],
    [['/etc/passwd'], '', 'fork/exec /etc/passwd: permission denied'],
    [['a\0b'], '', /^fork\/exec a\0b: ./],
    [[], '', 'exec: no command'],
    [['true'], '/nonexistent/sh', 'fork/exec /nonexistent/sh: no such file or directory'],
  ])('%j that cannot be started is critical', async (args, shell, output) => {
    const result = await script(args, shell).run(patient());
    expect(result).toMatchObject({ status: 'critical', code: 'PROCERR' });
    if (typeof output === 'string') expect(result.output).toBe(output);
    else expect(result.output).toMatch(output);
  });

  test('is killed when it takes too long, with all it has started', async () => {
    const timeout = new AbortController();
    // A child and a grandchild, deaf to polite signals.
    const line = `trap '' TERM INT HUP; cd ${dir}
      (sh -c 'echo $$ >> pids; trap "" TERM; sleep 60' & echo late; echo $$ >> pids; sleep 60)`;
    const run = sh(line).run(timeout.signal);
    const pids = await pidsIn('pids', 2);
    timeout.abort();
    expect(await run).toEqual({
      status: 'critical',
      output: 'Timed out (1s) running check\n\nlate\n',
      code: 'PROCTOUT',
      httpStatus: undefined,
    });
    for (const pid of pids) await eventually(async () => expect(await isRunning(pid)).toBe(false));
  });

  test('silent and too slow says only that', async () => {
    const timeout = new AbortController();
    const run = sh(`echo $$ > ${dir}/pids; exec sleep 60`).run(timeout.signal);
    await pidsIn('pids', 1);
    timeout.abort();
    expect((await run).output).toBe('Timed out (1s) running check');
  });

  test('a child left behind in the background is ended with the check', async () => {
    const result = await sh(`sleep 60 & echo $! > ${dir}/pids; echo done`).run(patient());
    expect(result).toMatchObject({ status: 'passing', output: 'done\n' });
    const [pid = 0] = await pidsIn('pids', 1);
    await eventually(async () => expect(await isRunning(pid)).toBe(false));
  });

  test('one that escapes into its own session cannot hold the check beyond its time', async () => {
    const timeout = new AbortController();
    const escapee = `setsid sh -c 'echo $$ > ${dir}/pids; exec sleep 60' &`;
    const run = sh(`${escapee} until [ -s ${dir}/pids ]; do sleep 0.01; done`).run(timeout.signal);
    const [pid = 0] = await pidsIn('pids', 1);
    try {
      timeout.abort();
      expect(await run).toMatchObject({ status: 'critical', code: 'PROCTOUT' });
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });

  test('output without end is bounded', async () => {
    const timeout = new AbortController();
    const run = sh(`echo $$ > ${dir}/pids; yes`).run(timeout.signal);
    await pidsIn('pids', 1);
    timeout.abort();
    const result = await run;
    expect(result.code).toBe('PROCTOUT');
    expect(result.output.length).toBeLessThan(4096 + 200);
  });

  test('leaves no handle behind', async () => {
    const kinds = () => process.getActiveResourcesInfo().filter((kind) => /Process|Pipe/.test(kind)).length;
    const before = kinds();
    await sh('exit 0').run(patient());
    await script(['/nonexistent/x']).run(patient());
    await eventually(() => expect(kinds()).toBeLessThanOrEqual(before));
  });
});
