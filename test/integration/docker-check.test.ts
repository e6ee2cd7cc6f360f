import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dockerProbe } from '../../src/health/docker.ts';
import { eventually } from '../helpers/eventually.ts';

/**
 * The check against a server that answers as the Engine API is documented (https://docs.docker.com/reference/api/engine/),
 * for what a real engine does not do on demand. docker-engine.test.ts runs it against a real one.
 */
let folder: string;
let engine: Server;
/** `POST /exec/e1/start {"Detach":false}` */
let asked: string[] = [];
let answers: Readonly<Record<string, (response: ServerResponse) => void>>;
let hungUp = 0;

const CREATE = 'POST /containers/web/exec';
const START = 'POST /exec/e1/start';
const INSPECT = 'GET /exec/e1/json';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vane-docker-'));
  asked = [];
  hungUp = 0;
  answers = {
    [CREATE]: (response) => response.writeHead(201).end('{"Id":"e1"}\n'),
    [START]: output('said\n'),
    [INSPECT]: (response) => response.end('{"ID":"e1","Running":false,"ExitCode":0}\n'),
  };
  engine = createServer((request, response) => {
    void read(request).then((body) => {
      const step = `${request.method} ${request.url}`;
      asked.push(`${step}${body && ` ${body}`}`);
      response.on('close', () => response.writableFinished || hungUp++);
      answers[step]?.(response);
    });
  });
  await new Promise<void>((resolve) => engine.listen(join(folder, 'docker.sock'), resolve));
});
afterEach(async () => {
  engine.closeAllConnections();
  await new Promise((resolve) => engine.close(resolve));
  rmSync(folder, { recursive: true });
});

async function read(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

function frame(stream: 1 | 2, text: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** A body without length that ends with its connection, as `exec start` has it. */
function output(...texts: readonly string[]) {
  return (response: ServerResponse) => {
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { 'Content-Type': 'application/vnd.docker.raw-stream' });
    for (const text of texts) response.write(frame(1, text));
    response.end();
  };
}

const patient = () => new AbortController().signal;

function check(
  over: { args?: readonly string[]; shell?: string; dockerHost?: string } = {},
  signal = patient(),
) {
  const { args = ['/bin/check', '-v'], shell = '', dockerHost = `unix://${folder}/docker.sock` } = over;
  const options = { dockerHost, timeout: 2_000, outputMaxSize: 4096 };
  return dockerProbe({ kind: 'docker', container: 'web', args, shell }, options).run(signal);
}

describe("Consul's Docker check", () => {
  test('creates, starts and inspects an exec in the container', async () => {
    expect(await check()).toEqual({
      status: 'passing',
      output: 'said\n',
      code: 'PROCOK',
      httpStatus: undefined,
    });
    expect(asked).toEqual([
      `${CREATE} {"AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Tty":false,"Cmd":["/bin/check","-v"]}`,
      `${START} {"Detach":false,"Tty":false}`,
      INSPECT,
    ]);
  });

  test('gives a shell its command line', async () => {
    await check({ args: ['check', '-v | true'], shell: '/bin/bash' });
    expect(asked[0]).toContain('"Cmd":["/bin/bash","-c","check -v | true"]');
  });

  test.each([
    [0, 'passing', 'PROCOK'],
    [1, 'warning', 'PROCERR'],
    [2, 'critical', 'PROCERR'],
    [137, 'critical', 'PROCERR'],
  ])('exit code %d is %s', async (exitCode, status, code) => {
    answers = { ...answers, [INSPECT]: (response) => response.end(JSON.stringify({ ExitCode: exitCode })) };
    expect(await check()).toMatchObject({ status, code, output: 'said\n' });
  });

  test('keeps the last 4 KiB of the output', async () => {
    answers = { ...answers, [START]: output('a'.repeat(5000), 'b'.repeat(4000)) };
    const expected = `Captured 4096 of 9000 bytes\n...\n${'a'.repeat(96)}${'b'.repeat(4000)}`;
    expect(await check()).toMatchObject({ status: 'passing', output: expected });
  });

  test('takes output that ends before its time, as some engines have it', async () => {
    answers = {
      ...answers,
      [START]: (response) => {
        response.writeHead(200, { 'Content-Length': 1000 });
        response.write(frame(1, 'said\n'), () => response.socket?.destroy());
      },
    };
    expect(await check()).toMatchObject({ status: 'passing', output: 'said\n' });
  });

  test('waits for a program that has closed its output but runs on', async () => {
    const left = [true, true, false];
    answers = {
      ...answers,
      [INSPECT]: (response) => {
        const Running = left.shift();
        response.end(JSON.stringify({ Running, ExitCode: Running ? null : 1 }));
      },
    };
    expect(await check()).toMatchObject({ status: 'warning', output: 'said\n' });
    expect(left).toEqual([]);
  });

  test.each<[string, string, number, string, string]>([
    ['an unknown container', CREATE, 404, '{}', 'create exec failed for unknown container web'],
    [
      'a container that is paused',
      CREATE,
      409,
      '{}',
      'create exec failed since container web is paused or stopped',
    ],
    [
      'an engine that fails',
      CREATE,
      500,
      '{"message":"no"}\n',
      'create exec failed for container web with status 500: {"message":"no"}',
    ],
    ['an engine that says much', CREATE, 500, 'x'.repeat(5000), 'xxx ... (captured 4096 of 5000 bytes)'],
    ['nonsense', CREATE, 201, 'no', 'create exec response for container web cannot be parsed: '],
    ['no id', CREATE, 201, 'null', 'create exec response for container web cannot be parsed: there is no Id'],
    ['a lost exec', START, 404, '{}', 'start exec failed for container web: invalid exec id e1'],
    [
      'a container that stopped',
      START,
      409,
      '{}',
      'start exec failed since container web is paused or stopped',
    ],
    ['an exec lost later', INSPECT, 404, '{}', 'inspect exec failed for container web: invalid exec id e1'],
    [
      'an inspection that fails',
      INSPECT,
      500,
      'no',
      'inspect exec failed for container web with status 500: no',
    ],
    [
      'no exit code',
      INSPECT,
      200,
      '{}',
      'inspect exec response for container web cannot be parsed: there is no ExitCode',
    ],
    [
      'too long an answer',
      CREATE,
      201,
      ' '.repeat(300_000),
      "the engine's answer is longer than 262144 bytes",
    ],
  ])('%s is critical', async (_what, step, status, body, words) => {
    answers = { ...answers, [step]: (response) => response.writeHead(status).end(body) };
    const result = await check();
    expect(result).toMatchObject({ status: 'critical', code: 'PROCERR' });
    expect(result.output).toContain(words);
  });

  test.each([
    [
      'unix:///none/docker.sock',
      'create exec failed for container web: dial unix /none/docker.sock: connect: no such file or directory',
    ],
    [
      'tcp://127.0.0.1:1',
      'create exec failed for container web: dial tcp 127.0.0.1:1: connect: connection refused',
    ],
    ['/var/run/docker.sock', 'unable to parse docker host `/var/run/docker.sock`'],
  ])('an engine at %s is critical', async (dockerHost, words) => {
    expect(await check({ dockerHost })).toMatchObject({ status: 'critical', output: words });
  });

  test('asks an engine over TCP, below its path', async () => {
    const paths: unknown[] = [];
    const tcp = createServer((request, response) => {
      paths.push(request.url);
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const at = tcp.address();
    const port = typeof at === 'object' ? at?.port : undefined;
    const result = await check({ dockerHost: `tcp://127.0.0.1:${port}/v1.41` });
    expect(result.output).toBe('create exec failed for unknown container web');
    expect(paths).toEqual(['/v1.41/containers/web/exec']);
    await new Promise((resolve) => tcp.close(resolve));
  });

  test.each([
    ['creating', CREATE, ''],
    ['starting', START, ''],
    ['inspecting', INSPECT, '\n\nsaid\n'],
  ])('times out while %s, and hangs up', async (_what, step, said) => {
    answers = { ...answers, [step]: () => {} };
    const timeout = new AbortController();
    const run = check({}, timeout.signal);
    await eventually(() => expect(asked.at(-1)).toContain(step));
    timeout.abort();
    expect(await run).toEqual({
      status: 'critical',
      output: `Timed out (2s) running check${said}`,
      code: 'PROCTOUT',
      httpStatus: undefined,
    });
    await eventually(() => expect(hungUp).toBe(1));
  });

  test('times out while the program writes', async () => {
    answers = {
      ...answers,
      [START]: (response) => {
        response.writeHead(200).write(frame(2, 'so far\n'));
      },
    };
    const timeout = new AbortController();
    const run = check({}, timeout.signal);
    await eventually(() => expect(asked).toHaveLength(2));
    timeout.abort();
    // What is still on its way is not shown.
    expect((await run).output).toMatch(/^Timed out \(2s\) running check(\n\nso far\n)?$/);
  });

  test('a run that begins too late asks nobody', async () => {
    expect(await check({}, AbortSignal.abort())).toMatchObject({ status: 'critical', code: 'PROCTOUT' });
    expect(asked).toEqual([]);
  });
});
