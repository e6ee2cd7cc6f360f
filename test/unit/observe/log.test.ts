import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { GlobalConfig } from '../../../src/config/runtime/global.ts';
import { LineOutput } from '../../../src/observe/line-output.ts';
import { createLog } from '../../../src/observe/log.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { ROOT } from '../../helpers/source-tree.ts';

/** What is logged by `say` on an output that is no terminal. */
async function logged(
  config: GlobalConfig['log'],
  say: (log: ReturnType<typeof createLog>) => void,
): Promise<readonly string[]> {
  const stream = new PassThrough();
  const log = createLog(config, new LineOutput({ stream, clock: new FakeClock(), limit: 1e6 }));
  say(log);
  stream.end();
  return (await text(stream)).split('\n').slice(0, -1);
}

const HOSTILE = 'a"\n\r\x1b[31m\x7f\x9b31m\u2028 b';

describe('json', () => {
  test('is one object a line, with the time in ISO 8601 and the level as a word', async () => {
    const lines = await logged({ level: 'debug', format: 'json' }, (log) => {
      log.debug({}, 'one');
      log.info({ host: '127.0.0.1', port: 8404 }, 'stats api listens');
      log.warn({ error: HOSTILE }, HOSTILE);
      log.error({ nested: { deep: [1, 2] } }, 'four');
    });
    const events = lines.map((line): Record<string, unknown> => JSON.parse(line));
    expect(events.map(({ level }) => level)).toEqual(['debug', 'info', 'warn', 'error']);
    for (const { time } of events) expect(new Date(String(time)).toISOString()).toBe(time);
    expect(events[1]).toEqual({
      level: 'info',
      time: events[1]?.time,
      host: '127.0.0.1',
      port: 8404,
      msg: 'stats api listens',
    });
    expect(events[2]).toMatchObject({ error: HOSTILE, msg: HOSTILE });
  });
});

describe('pretty', () => {
  test('is one readable line for each event, without colours where no terminal is', async () => {
    const lines = await logged({ level: 'info', format: 'pretty' }, (log) => {
      log.info({ host: '127.0.0.1', port: 8404 }, 'stats api listens');
      log.error({ error: 'first\nsecond', nested: { deep: [1] } }, 'it failed');
    });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(
      /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: stats api listens \{"host":"127\.0\.0\.1","port":8404\}$/,
    );
    expect(lines[1]).toMatch(/ERROR: it failed \{"error":"first\\nsecond","nested":\{"deep":\[1\]\}\}$/);
  });

  test('hostile text can neither begin a line nor talk to the terminal', async () => {
    const lines = await logged({ level: 'info', format: 'pretty' }, (log) => log.warn({ HOSTILE }, HOSTILE));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/\p{Cc}/u);
    expect(lines[0]).toContain('WARN: a"\\u000a\\u000d\\u001b[31m\\u007f\\u009b31m');
  });

  test('has colours on a terminal', async () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true });
    const output = new LineOutput({ stream, clock: new FakeClock(), limit: 1e6 });
    createLog({ level: 'info', format: 'pretty' }, output).info({}, 'hello');
    stream.end();
    expect(await text(stream)).toContain('\x1b[');
  });
});

describe('levels', () => {
  test.each([
    ['trace', ['debug', 'info', 'warn', 'error']],
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
    ['silent', []],
  ] as const)('%s lets through %j', async (level, expected) => {
    const lines = await logged({ level, format: 'json' }, (log) => {
      for (const each of ['debug', 'info', 'warn', 'error'] as const) log[each]({}, each);
    });
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(expected);
  });

  test('level and format change while it runs', async () => {
    const lines = await logged({ level: 'silent', format: 'json' }, (log) => {
      log.error({}, 'unheard');
      log.configure({ level: 'info', format: 'pretty' });
      log.info({}, 'first');
      log.configure({ level: 'warn', format: 'json' });
      log.info({}, 'unheard');
      log.warn({}, 'second');
    });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/INFO: first$/);
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ level: 'warn', msg: 'second' });
  });
});

describe('standard output', () => {
  /** Runs a program that has `log`, `access` and an `entry` at hand. */
  function program(body: string) {
    const from = (path: string) => JSON.stringify(`${ROOT}/${path}`);
    const code = `
      const { createLog } = await import(${from('src/observe/log.ts')});
      const { AccessLog } = await import(${from('src/observe/access-log.ts')});
      const { stdoutLines } = await import(${from('src/observe/line-output.ts')});
      const { httpEntry } = await import(${from('test/unit/observe/access-entries.ts')});
      const output = stdoutLines();
      const log = createLog({ level: 'info', format: 'json' }, output);
      const access = new AccessLog(output);
      const entry = httpEntry();
      ${body}`;
    return spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  test('has the last line of a process that ends right after it', async () => {
    const child = program(`log.error({}, 'vane has failed'); process.exit(3);`);
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect({ code, line: JSON.parse(out) }).toMatchObject({ code: 3, line: { msg: 'vane has failed' } });
  });

  test('that nobody reads holds up nothing, and costs lines instead of memory', async () => {
    const child = program(`
      for (let i = 0; i < 50_000; i++) access.write(entry);
      log.info({}, 'still here');
      await access.flush(performance.now() + 100);
      process.stderr.write(JSON.stringify({ dropped: access.dropped, pending: output.pending }));
      process.exit(0);`);
    const [report, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect(code).toBe(0);
    const { dropped, pending } = JSON.parse(report);
    expect(dropped).toBeGreaterThan(30_000);
    expect(pending).toBeGreaterThan(0);
    expect(pending).toBeLessThan(1.1 * 1024 * 1024);
  });

  test('that is read later has every line whole', async () => {
    const child = program(`
      for (let i = 0; i < 4_000; i++) {
        access.write(entry);
        if (i % 10 === 0) log.info({ i }, 'between');
        if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      process.stderr.write('written');
      await access.flush(performance.now() + 20_000);`);
    await once(child.stderr, 'data');
    const lines = (await text(child.stdout)).split('\n').slice(0, -1);
    expect(lines).toHaveLength(4_400);
    const events = lines.filter((line) => line.startsWith('{'));
    expect(events.map((line) => JSON.parse(line).msg)).toEqual(Array(400).fill('between'));
    const others = new Set(lines.filter((line) => !line.startsWith('{')));
    expect(others.size).toBe(1);
  });

  test('whose reader goes away does not end the process', async () => {
    const child = program(`
      log.info({}, 'first');
      const timer = setInterval(() => {
        log.info({}, 'more');
        access.write(entry);
        if (access.dropped < 3) return;
        clearInterval(timer);
        process.stderr.write('survived');
      }, 1);`);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [report, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect({ report, code }).toEqual({ report: 'survived', code: 0 });
  });
});
