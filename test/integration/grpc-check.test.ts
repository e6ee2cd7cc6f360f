import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { grpcProbe } from '../../src/health/grpc.ts';
import { eventually } from '../helpers/eventually.ts';
import { freeAddresses } from '../helpers/free-port.ts';
import { selfSigned } from '../helpers/self-signed.ts';

const patient = () => new AbortController().signal;
const SERVING = 1;
const NOT_SERVING = 2;

interface Asked {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

/** A health service, or something that pretends to be one. */
async function serve(answer: (stream: ServerHttp2Stream) => void, tls = false) {
  const asked: Asked[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server: Http2Server = tls ? createSecureServer(selfSigned()) : createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      asked.push({ headers, body: Buffer.concat(chunks) });
      answer(stream);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: async () => {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { target: `127.0.0.1:${port}`, asked, sessions };
}

function says(status: number, grpcStatus = '0', message = '') {
  return (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () =>
      stream.sendTrailers({ 'grpc-status': grpcStatus, 'grpc-message': message }),
    );
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, status]));
  };
}

function saysOnly(headers: OutgoingHttpHeaders, body = '') {
  return (stream: ServerHttp2Stream) => {
    stream.respond(headers);
    stream.end(body);
  };
}

function probe(target: string, tls: { useTls?: boolean; tlsSkipVerify?: boolean } = {}) {
  return grpcProbe({ kind: 'grpc', target, useTls: false, tlsSkipVerify: false, ...tls });
}

describe("Consul's gRPC check", () => {
  test('passes when the whole server is serving, and leaves no connection', async () => {
    const { target, asked, sessions } = await serve(says(SERVING));
    expect(await probe(target).run(patient())).toEqual({
      status: 'passing',
      output: `gRPC check ${target}: success`,
      code: 'L7OK',
      httpStatus: undefined,
    });
    expect(asked).toMatchObject([
      {
        headers: {
          ':method': 'POST',
          ':path': '/grpc.health.v1.Health/Check',
          'content-type': 'application/grpc',
          te: 'trailers',
        },
      },
    ]);
    expect(asked[0]?.body.toString('hex')).toBe('0000000000');
    await eventually(() => expect(sessions.size).toBe(0));
  });

  test.each([
    ['a/b', '00000000050a03612f62'],
    ['x'.repeat(300), `000000012f0aac02${'78'.repeat(300)}`],
  ])('asks about the service after the slash: %s', async (service, body) => {
    const { target, asked } = await serve(says(SERVING));
    const { output } = await probe(`${target}/${service}`).run(patient());
    expect(output).toBe(`gRPC check ${target}/${service}: success`);
    expect(asked[0]?.body.toString('hex')).toBe(body);
  });

  const UNHEALTHY = "gRPC application didn't report service healthy";
  test.each([
    ['not serving', says(NOT_SERVING), UNHEALTHY, 'L7STS'],
    ['an unknown status', says(0), UNHEALTHY, 'L7STS'],
    ['an empty message', saysOnly({ ':status': 200, 'grpc-status': '0' }), UNHEALTHY, 'L7STS'],
    [
      'an unknown service',
      saysOnly({ ':status': 200, 'grpc-status': '5', 'grpc-message': 'unknown%20service' }),
      'rpc error: code = NotFound desc = unknown service',
      'L7STS',
    ],
    ['an error after a message', says(SERVING, '13', 'x'), 'rpc error: code = Internal desc = x', 'L7STS'],
    ['a number nobody knows', says(SERVING, '99', '%'), 'rpc error: code = Code(99) desc = %', 'L7STS'],
    [
      'a web page',
      saysOnly({ ':status': 404 }, 'no'),
      'rpc error: code = Unknown desc = unexpected HTTP status code received from server: 404',
      'L7RSP',
    ],
    [
      'far too much',
      saysOnly({ ':status': 200 }, 'x'.repeat(100_000)),
      'rpc error: code = Unavailable desc = the response is too large for one of a health service',
      'L7RSP',
    ],
  ])('%s is critical', async (_, answer, output, code) => {
    const { target } = await serve(answer);
    expect(await probe(target).run(patient())).toMatchObject({ status: 'critical', output, code });
  });

  test('a stream that is reset is critical', async () => {
    const { target } = await serve((stream) => stream.close(2));
    expect(await probe(target).run(patient())).toMatchObject({ status: 'critical', code: 'L7RSP' });
  });

  test('a port where nobody listens is critical', async () => {
    const [closed = ''] = await freeAddresses(1);
    const dial = `Error while dialing dial tcp ${closed}: connect: connection refused`;
    expect(await probe(closed).run(patient())).toMatchObject({
      status: 'critical',
      output: `rpc error: code = Unavailable desc = connection error: desc = "transport: ${dial}"`,
      code: 'L4CON',
    });
  });

  test.each(['127.0.0.1', '127.0.0.1:99999', '/service', ''])(
    'the target %j cannot be reached',
    async (target) => {
      expect(await probe(target).run(patient())).toMatchObject({ status: 'critical', code: 'SOCKERR' });
    },
  );

  test('a server that does not speak HTTP/2 is critical', async () => {
    await using server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await probe(`127.0.0.1:${port}`).run(patient())).toMatchObject({
      status: 'critical',
      output: 'rpc error: code = Unavailable desc = Protocol error',
    });
  });

  test('a server that does not answer is out of time', async () => {
    const { target, asked, sessions } = await serve(() => {});
    const timeout = new AbortController();
    const running = probe(target).run(timeout.signal);
    await eventually(() => expect(asked).toHaveLength(1));
    timeout.abort();
    const late = {
      status: 'critical',
      output: 'rpc error: code = DeadlineExceeded desc = context deadline exceeded',
      code: 'L7TOUT',
    };
    expect(await running).toMatchObject(late);
    await eventually(() => expect(sessions.size).toBe(0));
    expect(await probe(target).run(AbortSignal.abort())).toMatchObject(late);
  });

  test('over TLS the certificate has to be trusted, unless that is waived', async () => {
    const { target } = await serve(says(SERVING), true);
    expect(await probe(target, { useTls: true }).run(patient())).toMatchObject({ status: 'critical' });
    expect(await probe(target, { useTls: true, tlsSkipVerify: true }).run(patient())).toMatchObject({
      status: 'passing',
    });
    expect(await probe(target).run(patient())).toMatchObject({ status: 'critical' });
  });
});
