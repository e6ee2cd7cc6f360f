import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { Splice } from '../../../src/mysql/endpoint/splice.ts';
import type { ProbeOutcome } from '../../../src/mysql/failover/server-facts.ts';
import { ServerMonitor } from '../../../src/mysql/monitor/server-monitor.ts';
import { errorPacket, tooManyPacket } from '../../../src/mysql/protocol/error-packet.ts';
import { failingLogin } from '../../../src/mysql/protocol/login.ts';
import { SessionFollower } from '../../../src/mysql/protocol/session-phase.ts';
import { eventually } from '../../helpers/eventually.ts';
import { HELD_AT_MOST } from '../../helpers/tcp-relay-rig.ts';
import { TcpBench } from '../../helpers/tcp-sockets.ts';

const bench = new TcpBench();
const monitors: ServerMonitor[] = [];

afterEach(async () => {
  for (const monitor of monitors.splice(0)) monitor.stop();
  await bench.close();
});

/** What the monitor makes of a server that does this with a connection, and what it says to it. */
async function probed(onConnection: (socket: Socket) => void) {
  const heard: Promise<string>[] = [];
  const { port } = await bench.listen((socket) => {
    heard.push(text(socket).catch(() => 'reset'));
    onConnection(socket);
  });
  const outcomes: ProbeOutcome[] = [];
  const monitor = new ServerMonitor({
    target: { host: '127.0.0.1', port, user: 'mon', password: '' },
    ...{ interval: 10_000, timeout: 200, clock: systemClock },
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  monitors.push(monitor);
  monitor.start();
  const [outcome] = await eventually(() => {
    if (outcomes.length === 0) throw new Error('no outcome yet');
    return outcomes;
  });
  return { outcome, heard: heard[0] };
}

describe('a probe', () => {
  test('of a server that says nothing ends in time, and takes its leave with a login', async () => {
    const { outcome, heard } = await probed((socket) => socket.on('end', () => socket.end()));
    expect(outcome).toMatchObject({ ok: false, class: 'timeout', message: 'no answer within 200 ms' });
    expect(await heard).toBe(failingLogin().toString('utf8'));
  });

  test('of a server that greets and then hangs ends in time', async () => {
    const greeting = Buffer.from(
      'NQAAAAo1LjUuNS0xMC4xMQABAAAAYWFhYWFhYWEA/vctAgD/gRUAAAAAAAAAAAAAYmJiYmJiYmJiYmJiAG15c3FsAA==',
      'base64',
    );
    const { outcome } = await probed((socket) => socket.write(greeting));
    expect(outcome).toMatchObject({ ok: false, class: 'timeout' });
  });

  test.each([
    ['is full', tooManyPacket('Too many connections'), 'overloaded'],
    [
      'has shut this host out',
      errorPacket(0, { code: 1129, state: undefined, message: 'blocked' }),
      'blocked',
    ],
    [
      'does not know this host',
      errorPacket(0, { code: 1130, state: undefined, message: 'no' }),
      'misconfigured',
    ],
    ['is going down', errorPacket(0, { code: 1053, state: undefined, message: 'bye' }), 'dead'],
  ])('of a server that %s says so', async (_, words, kind) => {
    const { outcome } = await probed((socket) => socket.end(words));
    expect(outcome).toMatchObject({ ok: false, class: kind });
  });

  test('of a server that closes without a word is a vote', async () => {
    const { outcome } = await probed((socket) => socket.end());
    expect(outcome).toMatchObject({ ok: false, class: 'dead' });
  });
});

describe('a spliced session', () => {
  /** Between two real connections, logged in and idle. */
  async function setUp() {
    const [toClient, toServer] = await Promise.all([bench.pair(), bench.pair()]);
    const follower = new SessionFollower(0, false);
    const splice = new Splice({
      ...{ client: toClient.ours, server: toServer.ours, follower, clock: systemClock, name: 'db1' },
      onHeard: () => {},
    });
    const [client, server] = [toClient.theirs, toServer.theirs];
    server.write(Buffer.from([7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]));
    await eventually(() => expect(follower.phase).toBe('idle'));
    return { client, server, follower, splice, near: toClient.ours };
  }
  const QUERY = Buffer.from([2, 0, 0, 0, 3, 0x53]);

  test('holds little while its client takes nothing', async () => {
    const { client, server, near } = await setUp();
    client.pause();
    let accepted = 0;
    const chunk = Buffer.alloc(60_000);
    // More than the system's own buffers, so that the rest would have to be held.
    for (let i = 0; i < 600; i++) {
      if (!server.write(chunk)) break;
      accepted += chunk.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (let i = 0; i < 200; i++) server.write(chunk);
    await eventually(() => expect(server.writableLength).toBeGreaterThan(1_000_000));
    expect(near.writableLength).toBeLessThanOrEqual(HELD_AT_MOST);
    expect(accepted).toBeGreaterThan(0);
  });

  test('that ends while it waits for an answer passes on nothing more, and says nothing', async () => {
    const { client, server, splice } = await setUp();
    client.write(QUERY);
    await new Promise((resolve) => server.once('data', resolve));
    const [atClient, atServer] = [text(client), text(server).catch(() => 'reset')];
    splice.end('db1 is down');
    client.write(QUERY);
    // The login's answer is all there ever was.
    expect((await atClient).length).toBeLessThanOrEqual(11);
    expect(await atServer).toBe('reset');
    expect([splice.ending, await splice.ended]).toEqual(['closed', 'ended']);
  });

  test('that is idle is told, by what answers its next command', async () => {
    const { client, splice } = await setUp();
    const said = text(client);
    splice.end('db1 is down');
    expect(await said).toContain('\x01\u{fffd}\x1d\x04#08S01vane: db1 is down');
    expect(splice.ending).toBe('told');
  });

  test('whose client says goodbye is not told anything', async () => {
    const { client, server, splice } = await setUp();
    client.write(Buffer.from([1, 0, 0, 0, 1]));
    await new Promise((resolve) => server.once('data', resolve));
    const said = text(client);
    server.end();
    expect((await said).length).toBeLessThanOrEqual(11);
    expect([splice.ending, await splice.ended]).toEqual([undefined, 'client']);
  });

  test('whose client breaks off takes its server along, by a reset', async () => {
    const { client, server, splice } = await setUp();
    const atServer = text(server).catch(() => 'reset');
    client.resetAndDestroy();
    expect(await atServer).toBe('reset');
    expect(await splice.ended).toBe('client');
  });

  test('whose client has only ended its side gets the rest of its answer', async () => {
    const { client, server, splice } = await setUp();
    client.end(QUERY);
    await new Promise((resolve) => server.once('end', resolve).resume());
    const said = text(client);
    server.end(Buffer.from([7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]));
    expect((await said).length).toBeGreaterThanOrEqual(11);
    expect(await splice.ended).toBe('client');
  });

  test('that is to end when it is idle ends with the answer it waits for', async () => {
    const { client, server, follower, splice } = await setUp();
    client.write(QUERY);
    await eventually(() => expect(follower.phase).toBe('busy'));
    splice.endWhenIdle('db1 is not the target any more');
    expect(follower.phase).toBe('busy');
    const said = text(client);
    server.write(Buffer.from([7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]));
    expect(await said).toContain('not the target any more');
  });
});
