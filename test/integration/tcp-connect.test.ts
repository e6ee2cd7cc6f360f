import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { VaneError } from '../../src/core/errors.ts';
import { connect } from '../../src/proxy/tcp/connect.ts';
import { eventually } from '../helpers/eventually.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { silentServer } from '../helpers/tcp-silent-server.ts';
import { noSocketLeft, TcpBench } from '../helpers/tcp-sockets.ts';

const bench = new TcpBench();
afterEach(() => bench.close());

/** Port 1 of loopback: nobody listens there. */
const CLOSED = 1;

function dial(port: number, options: Partial<Parameters<typeof connect>[0]> = {}): Promise<Socket> {
  const signal = new AbortController().signal;
  return connect({ address: '127.0.0.1', port, timeout: 5_000, clock: systemClock, signal, ...options });
}

/** What it was rejected with. */
function failure(promise: Promise<Socket>): Promise<unknown> {
  return promise.then(
    () => 'connected',
    (error: unknown) => error,
  );
}

describe('a connection', () => {
  test('comes without a listener, without a timer, and half-closable', async () => {
    const clock = new FakeClock();
    const { port } = await bench.listen((socket) => socket.resume());
    const { signal } = new AbortController();
    const socket = await dial(port, { clock, signal });
    expect(socket.eventNames().map((name) => [name, ourListeners(socket, name)])).toEqual(
      socket.eventNames().map((name) => [name, 0]),
    );
    bench.keep(socket);
    expect(clock.pending).toBe(0);
    expect(socket.allowHalfOpen).toBe(true);
    expect(socket.connecting).toBe(false);
    expect(socket.remotePort).toBe(port);
  });

  test('lives on when the signal is aborted after it was made', async () => {
    const { port } = await bench.listen((socket) => socket.pipe(socket));
    const abort = new AbortController();
    const socket = bench.keep(await dial(port, { signal: abort.signal }));
    abort.abort(new Error('late'));
    const said = new Promise((resolve) => socket.once('data', (bytes: Buffer) => resolve(`${bytes}`)));
    socket.write('still there');
    expect(await said).toBe('still there');
  });

  test('is made to a host name too', async () => {
    const { port } = await bench.listen((socket) => socket.resume());
    const socket = bench.keep(await dial(port, { address: 'localhost' }));
    expect(socket.remotePort).toBe(port);
  });

  test('has no limit of time when the timeout is 0', async () => {
    const clock = new FakeClock();
    const { port } = await bench.listen((socket) => socket.resume());
    const connecting = dial(port, { clock, timeout: 0 });
    expect(clock.pending).toBe(0);
    bench.keep(await connecting);
  });

  test('that breaks at once is never an uncaught error', async () => {
    // Vitest fails the run for any uncaught error: servers that reset whoever comes, many times over.
    const { port } = await bench.listen((socket) => socket.resetAndDestroy());
    const results = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = await dial(port).catch((error: unknown) => error);
        if (socket instanceof VaneError) return socket.code;
        const { promise, resolve } = Promise.withResolvers<string>();
        if (!isSocket(socket)) throw new Error('neither a socket nor an error of ours');
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(`${error.code}`));
        socket.on('end', () => resolve('end'));
        socket.resume();
        return promise;
      }),
    );
    expect([...new Set(results)].filter((one) => one !== 'ECONNRESET' && one !== 'CONNECT_FAILED')).toEqual(
      [],
    );
  });
});

describe('what happens between the connection and the caller', () => {
  /** Does something in the tick after the `connect` event: the last thing that runs before the promises do. */
  async function inTheTickAfter(act: (socket: Socket) => void): Promise<{ port: number; seen: Socket[] }> {
    const { port } = await bench.listen((socket) => socket.resume());
    const seen: Socket[] = [];
    const onSocket = (message: unknown) => {
      const socket = socketIn(message);
      if (!socket) return;
      unsubscribe('net.client.socket', onSocket);
      seen.push(socket);
      socket.once('connect', () => process.nextTick(() => act(socket)));
    };
    subscribe('net.client.socket', onSocket);
    return { port, seen };
  }

  test('an error is the rejection, and not an uncaught one', async () => {
    const { port, seen } = await inTheTickAfter((socket) => socket.destroy(new Error('just now')));
    expect(await failure(dial(port))).toMatchObject({
      code: 'CONNECT_FAILED',
      message: `cannot connect to 127.0.0.1:${port}: just now`,
    });
    expect(seen).toHaveLength(1);
  });

  test('an abort closes the connection', async () => {
    const left = await noSocketLeft();
    const abort = new AbortController();
    const { port, seen } = await inTheTickAfter(() => abort.abort('changed my mind'));
    expect(await failure(dial(port, { signal: abort.signal }))).toBe('changed my mind');
    expect(seen[0]?.destroyed).toBe(true);
    await bench.close();
    await left();
  });
});

describe('a connection that cannot be made', () => {
  test('is refused where nobody listens', async () => {
    const clock = new FakeClock();
    const error = await failure(dial(CLOSED, { clock }));
    expect(error).toBeInstanceOf(VaneError);
    expect(error).toMatchObject({
      code: 'CONNECT_REFUSED',
      retryable: true,
      message: `cannot connect to 127.0.0.1:${CLOSED}: connection refused`,
    });
    expect(clock.pending).toBe(0);
  });

  test.each([
    ['a name that nobody knows', 'no-such-host.invalid', 80, /^cannot connect to no-such-host\.invalid:80: /],
    ['a broadcast address', '255.255.255.255', 80, /^cannot connect to 255\.255\.255\.255:80: /],
    ['a port that is none', '127.0.0.1', 99_999, /^cannot connect to 127\.0\.0\.1:99999: /],
  ])('fails for %s', async (_, address, port, message) => {
    const clock = new FakeClock();
    const error = await failure(dial(port, { address, clock }));
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', message: expect.stringMatching(message) });
    expect(clock.pending).toBe(0);
  });

  test('rejects with the reason of a signal that was aborted before, without dialling', async () => {
    let dialled = 0;
    const { port } = await bench.listen(() => dialled++);
    const reason = new VaneError('STOPPING', 'enough');
    expect(await failure(dial(port, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    // Connections are accepted in the order in which they were made.
    bench.keep(await dial(port));
    await eventually(() => expect(dialled).toBeGreaterThan(0));
    expect(dialled).toBe(1);
  });
});

describe('a server that does not answer', () => {
  let silent: Awaited<ReturnType<typeof silentServer>>;
  beforeAll(async () => {
    silent = await silentServer();
  });
  afterAll(() => silent.close());

  test('times out, and leaves neither socket nor timer', async () => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const connecting = failure(dial(silent.port, { clock, timeout: 300 }));
    clock.advance(299);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    expect(await connecting).toMatchObject({
      code: 'CONNECT_TIMEOUT',
      message: `no connection to 127.0.0.1:${silent.port} in 300 ms`,
    });
    expect(clock.pending).toBe(0);
    await left();
  });

  test('is given up when the signal is aborted, and leaves neither socket nor timer', async () => {
    const left = await noSocketLeft();
    const clock = new FakeClock();
    const abort = new AbortController();
    const connecting = failure(dial(silent.port, { clock, signal: abort.signal }));
    const reason = new VaneError('CLIENT_ABORTED', 'gone');
    abort.abort(reason);
    expect(await connecting).toBe(reason);
    expect(clock.pending).toBe(0);
    await left();
  });

  test('is waited for without end when there is no limit', async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const connecting = failure(dial(silent.port, { clock, timeout: 0, signal: abort.signal }));
    clock.advance(1e9);
    await eventually(() => expect(clock.pending).toBe(0));
    abort.abort('over');
    expect(await connecting).toBe('over');
  });
});

/** Listeners that Node has not put there itself: on a bare socket of Node's there is one for its own `end`. */
function ourListeners(socket: Socket, name: string | symbol): number {
  return socket.listenerCount(name) - (name === 'end' ? 1 : 0);
}

/** What Node publishes of every connection that is begun. */
function socketIn(message: unknown): Socket | undefined {
  if (typeof message !== 'object' || message === null || !('socket' in message)) return undefined;
  return isSocket(message.socket) ? message.socket : undefined;
}

function isSocket(value: unknown): value is Socket {
  return typeof value === 'object' && value !== null && 'resetAndDestroy' in value;
}
