import { type AddressInfo, createServer, type Socket, type Server as TcpServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import type { DialogueCheck, HttpCheck } from '../../src/config/runtime/server-checks.ts';
import { systemClock } from '../../src/core/clock.ts';
import { agentScript } from '../../src/health/agent-script.ts';
import { dialogueProbe } from '../../src/health/dialogue.ts';
import { dialogueScript } from '../../src/health/dialogue-checks.ts';
import { httpchkProbe } from '../../src/health/httpchk.ts';
import type { ProbeResult } from '../../src/health/probe.ts';
import { mariadbPair } from '../helpers/mariadb.ts';
import { needs } from '../helpers/needs.ts';
import { RedisServer } from '../helpers/redis-server.ts';
import { selfSigned } from '../helpers/self-signed.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listen(server: TcpServer): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of open) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Says what it has to when asked for the n-th time; `undefined` ends the connection. */
function talker(...says: (string | undefined)[]): { server: TcpServer; heard: () => string } {
  let heard = '';
  const server = createServer((socket) => {
    let next = 0;
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      const say = says[next++];
      if (say === undefined) socket.end();
      else socket.write(say, 'latin1');
    });
  });
  return { server, heard: () => heard };
}

const patient = () => AbortSignal.timeout(10_000);

function ask(port: number, check: DialogueCheck): Promise<ProbeResult> {
  return dialogueProbe({ host: '127.0.0.1', port }, dialogueScript(check)).run(patient());
}

function verdict({ status, code, output }: ProbeResult): string {
  return `${status} ${code} ${output}`.trim();
}

describe('http-check', () => {
  const answer = (status: string, body: string, more = '') =>
    `HTTP/1.1 ${status}\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

  async function check(says: string, more: Partial<HttpCheck>) {
    const { server, heard } = talker(says);
    const at = { host: '127.0.0.1', port: await listen(server) };
    const result = await httpchkProbe(at, { method: 'GET', uri: '/', ...more }).run(patient());
    return { said: verdict(result), result, heard: heard(), at };
  }

  test('sends what it is told to', async () => {
    const { heard } = await check(answer('200 OK', ''), {
      ...{ method: 'POST', uri: '/h', version: '1.0', body: 'héllo' },
      headers: [['host', 'a.example']],
    });
    const head = ['POST /h HTTP/1.0', 'Connection: close', 'Content-Length: 6', 'host: a.example', '', ''];
    expect(Buffer.from(heard, 'latin1').toString()).toBe(`${head.join('\r\n')}héllo`);
  });

  test('names the server in HTTP/1.1', async () => {
    const { heard, at } = await check(answer('200 OK', ''), {});
    expect(heard).toBe(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${at.port}\r\nConnection: close\r\n\r\n`);
  });

  const status = (negated: boolean, ...ranges: [number, number][]) =>
    ({ kind: 'status', negated, ranges }) as const;
  test.each([
    ['200 OK', [status(false, [200, 200])], 'passing L7OK'],
    ['204 No Content', [status(false, [200, 200])], 'critical L7STS No Content'],
    ['404 Not Found', [status(false, [200, 299], [404, 404])], 'passing L7OK'],
    ['503 Busy', [status(true, [500, 599])], 'critical L7STS Busy'],
    ['503 Busy', [{ kind: 'rstatus', negated: false, pattern: '^5' } as const], 'passing L7OK'],
    ['503 Busy', [{ kind: 'rstatus', negated: true, pattern: '^5' } as const], 'critical L7STS Busy'],
  ])('%s against %j is %s', async (line, expect_, said) => {
    expect((await check(answer(line, ''), { expect: expect_ })).said).toBe(said);
  });

  const string = (negated: boolean, text: string) => ({ kind: 'string', negated, text }) as const;
  test.each([
    ['all good', [string(false, 'good')], 'passing L7OK'],
    ['all bad', [string(false, 'good')], 'critical L7RSP HTTP check did not match content'],
    ['read only', [string(true, 'read only')], 'critical L7RSP HTTP check matched unwanted content'],
    ['fine', [string(true, 'read only')], 'passing L7OK'],
    ['seq=12', [{ kind: 'rstring', negated: false, pattern: 'seq=\\d+$' } as const], 'passing L7OK'],
    ['good', [status(false, [500, 500]), string(false, 'good')], 'critical L7STS OK'],
  ])('a body %j against %j is %s', async (body, expect_, said) => {
    expect((await check(answer('200 OK', body), { expect: expect_ })).said).toBe(said);
  });

  test('a body in chunks is looked at up to its end, though the connection stays', async () => {
    const chunks = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n';
    const { said } = await check(chunks, { expect: [string(true, 'bad')] });
    expect(said).toBe('passing L7OK');
  });

  test('what is wanted too far behind is not found', async () => {
    const { said } = await check(answer('200 OK', `${'x'.repeat(20_000)}good`), {
      expect: [string(false, 'good')],
    });
    expect(said).toBe('critical L7RSP HTTP check did not match content');
  });

  test('disable-on-404 tells a 404 from other answers', async () => {
    const gone = await check(answer('404 Not Found', ''), { disableOn404: true });
    expect(gone.result).toMatchObject({ status: 'passing', code: 'L7OKC', httpStatus: 404, notFound: true });
    const bad = await check(answer('503 Busy', ''), { disableOn404: true });
    expect(bad.result).toMatchObject({ status: 'critical', code: 'L7STS' });
    expect(bad.result).not.toHaveProperty('notFound');
  });
});

describe('redis-check', () => {
  test.each([
    ['+PONG\r\n', 'passing L7OK'],
    ['-LOADING Redis is loading\r\n', 'critical L7STS -LOADING Redis is loading'],
    [undefined, 'critical L7RSP Connection closed'],
  ])('a server that says %j is %s', async (says, said) => {
    const { server, heard } = talker(says);
    expect(verdict(await ask(await listen(server), { kind: 'redis' }))).toBe(said);
    expect(heard()).toBe('*1\r\n$4\r\nPING\r\n');
  });

  needs('redis-server', 'redis-server').test('a Redis is well', async () => {
    await using redis = await RedisServer.start();
    expect(verdict(await ask(redis.port, { kind: 'redis' }))).toBe('passing L7OK');
  });
});

describe('ssl-hello-chk', () => {
  test('a TLS server is well, another is not', async () => {
    const tls = await listen(createTlsServer(selfSigned()));
    expect(verdict(await ask(tls, { kind: 'ssl-hello' }))).toBe('passing L6OK');
    // One that speaks nothing as old says so by an alert.
    const modern = await listen(createTlsServer({ ...selfSigned(), minVersion: 'TLSv1.3' }));
    expect(verdict(await ask(modern, { kind: 'ssl-hello' }))).toBe('passing L6OK');
    const { server } = talker('HTTP/1.1 400 Bad Request\r\n\r\n');
    expect(verdict(await ask(await listen(server), { kind: 'ssl-hello' }))).toBe('critical L6RSP Not TLS');
  });
});

describe('a check over TLS', () => {
  test('is good when the session is, and bad when the certificate is not trusted', async () => {
    const { key, cert } = selfSigned('web.example');
    const port = await listen(createTlsServer({ key, cert }));
    const tls = { verify: true, ca: cert, name: 'web.example' };
    const run = (more: Partial<typeof tls>) =>
      dialogueProbe({ host: '127.0.0.1', port, tls: { ...tls, ...more } }, undefined).run(patient());
    expect(verdict(await run({}))).toBe('passing L6OK');
    expect(await run({ name: 'other.example' })).toMatchObject({ status: 'critical', code: 'L6RSP' });
  });
});

describe('mysql-check', () => {
  needs('mariadbd', 'mariadb-server').test(
    'logs in, or only hears the greeting',
    async () => {
      await using pair = await mariadbPair();
      const { port } = pair.master;
      const aborted = async () => {
        const [row] = await pair.master.sql("SHOW GLOBAL STATUS LIKE 'Aborted_connects'");
        return row?.Value;
      };
      const before = await aborted();
      const root = await ask(port, { kind: 'mysql', user: 'root' });
      expect(root).toMatchObject({
        status: 'passing',
        code: 'L7OK',
        output: expect.stringMatching(/MariaDB/),
      });
      // A login that is whole is no broken connection, of which a server bears few from one host.
      expect(await aborted()).toBe(before);
      const nobody = await ask(port, { kind: 'mysql', user: 'nobody-at-all' });
      expect(nobody).toMatchObject({
        ...{ status: 'critical', code: 'L7STS' },
        output: expect.stringMatching(/^1045 Access denied/),
      });
      expect(await ask(port, { kind: 'mysql', user: undefined })).toMatchObject({ code: 'L7OK' });
    },
    60_000,
  );

  test('a server that shuts this host out says so', async () => {
    const error = Buffer.concat([
      Buffer.from([0xff, 0x69, 0x04]),
      Buffer.from("Host '127.0.0.1' is blocked because of many connection errors"),
    ]);
    const packet = Buffer.concat([Buffer.from([error.length, 0, 0, 0]), error]);
    const port = await listen(createServer((socket) => socket.end(packet)));
    expect(verdict(await ask(port, { kind: 'mysql', user: 'lb' }))).toMatch(
      /^critical L7STS 1129 Host .*blocked/,
    );
  });

  test('what is no greeting is told', async () => {
    const port = await listen(
      createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n'.repeat(99))),
    );
    expect(await ask(port, { kind: 'mysql', user: 'lb' })).toMatchObject({
      status: 'critical',
      code: 'L7RSP',
    });
  });
});

describe('tcp-check', () => {
  const send = (bytes: string) => ({ kind: 'send', bytes }) as const;
  const heard = (bytes: string, negated = false) =>
    ({ kind: 'expect', negated, by: 'string', bytes }) as const;

  test('goes through its steps', async () => {
    const { server, heard: said } = talker('+OK\r\n', 'role:master\r\n');
    const steps = [send('AUTH x\r\n'), heard('+OK'), send('INFO\r\n'), heard('role:master')];
    expect(verdict(await ask(await listen(server), { kind: 'tcp', steps }))).toBe('passing L7OK');
    expect(said()).toBe('AUTH x\r\nINFO\r\n');
  });

  test('fails at the step that is not answered as expected', async () => {
    const { server } = talker('+OK\r\n', undefined);
    const steps = [send('AUTH x\r\n'), heard('+OK'), send('INFO\r\n'), heard('role:master')];
    expect(verdict(await ask(await listen(server), { kind: 'tcp', steps }))).toBe(
      'critical L7RSP TCPCHK did not match content at step 4',
    );
  });

  test('fails at once at what must not be said', async () => {
    const { server } = talker('-ERR no\r\n');
    const steps = [send('x'), heard('-ERR', true)];
    expect(verdict(await ask(await listen(server), { kind: 'tcp', steps }))).toBe(
      'critical L7RSP TCPCHK matched unwanted content at step 2',
    );
  });

  test('without steps a connection is enough', async () => {
    const { server } = talker();
    expect(verdict(await ask(await listen(server), { kind: 'tcp', steps: [] }))).toBe('passing L7OK');
  });
});

describe('times', () => {
  test('the answer has its own, from when the connection opens', async () => {
    const port = await listen(createServer(() => {}));
    const times = { clock: systemClock, connect: 5_000, answer: 30 };
    const probe = httpchkProbe({ host: '127.0.0.1', port }, { method: 'GET', uri: '/' }, times);
    expect(verdict(await probe.run(patient()))).toBe('critical L7TOUT');
  });
});

describe('an agent', () => {
  test.each([
    ['a line', 'drain\nmore', 'passing L7OK drain'],
    ['what has no end but that of the connection', 'up', 'passing L7OK up'],
    ['nothing', '', 'critical L7RSP'],
  ])('that says %s', async (_, says, said) => {
    let asked = '';
    const port = await listen(
      createServer((socket) => {
        socket.on('data', (bytes) => {
          asked += bytes;
          socket.end(says);
        });
      }),
    );
    const result = await dialogueProbe({ host: '127.0.0.1', port }, agentScript('status\n')).run(patient());
    expect(verdict(result)).toBe(said);
    expect(asked).toBe('status\n');
  });
});
