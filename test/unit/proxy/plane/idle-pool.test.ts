import { type AddressInfo, createServer, connect as open, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VaneError } from '../../../../src/core/errors.ts';
import { IdlePool } from '../../../../src/proxy/plane/idle-pool.ts';
import { LiveServer } from '../../../../src/proxy/plane/live-server.ts';
import { eventually } from '../../../helpers/eventually.ts';
import { FakeClock } from '../../../helpers/fake-clock.ts';
import { serverSnapshot } from '../fixtures.ts';

const TIMEOUT = 1_000;

let server: Server;
/** The server's ends, in the order in which they were accepted. */
let accepted: Socket[];
const opened: Socket[] = [];
let clock: FakeClock;

beforeEach(async () => {
  clock = new FakeClock();
  accepted = [];
  server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on('error', () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const socket of [...opened.splice(0), ...accepted]) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const port = () => (server.address() as AddressInfo).port;

/** A connection as a lane has it, and the server's end of it. */
async function connection(): Promise<{ readonly ours: Socket; readonly theirs: Socket }> {
  const before = accepted.length;
  const ours = open({ port: port(), host: '127.0.0.1', allowHalfOpen: true });
  opened.push(ours);
  await new Promise((resolve) => ours.once('connect', resolve));
  const theirs = await eventually(() => {
    const socket = accepted[before];
    if (!socket) throw new Error('not accepted yet');
    return socket;
  });
  return { ours, theirs };
}

const pool = (changes: Partial<ConstructorParameters<typeof IdlePool>[0]> = {}) =>
  new IdlePool({ clock, max: 3, timeout: TIMEOUT, ...changes });

const isGone = (socket: Socket) =>
  eventually(() => {
    expect(socket.destroyed).toBe(true);
  });

describe('taking', () => {
  test('gives the youngest first, each once', async () => {
    const idle = pool();
    const [a, b] = [await connection(), await connection()];
    idle.put(a.ours);
    clock.advance(10);
    idle.put(b.ours);
    expect(idle.size).toBe(2);
    expect(idle.take()).toBe(b.ours);
    expect(idle.take()).toBe(a.ours);
    expect(idle.take()).toBeUndefined();
    expect(idle.size).toBe(0);
    idle.close();
  });

  test('does nothing to a connection while it is used, and adds no listener each time it comes back', async () => {
    const idle = pool();
    const { ours, theirs } = await connection();
    const names = ['data', 'end', 'error', 'close'] as const;
    const counts = () => names.map((name) => ours.listenerCount(name));
    idle.put(ours);
    const before = counts();
    expect(idle.take()).toBe(ours);
    idle.put(ours);
    expect(idle.take()).toBe(ours);
    expect(counts()).toEqual(before);
    const got: string[] = [];
    ours.on('data', (bytes: Buffer) => got.push(bytes.toString()));
    theirs.write('answer');
    await eventually(() => expect(got).toEqual(['answer']));
    expect(ours.destroyed).toBe(false);
    idle.close();
    expect(ours.destroyed).toBe(false);
  });

  test('only one that was good lately, if that is asked', async () => {
    const idle = pool();
    const { ours } = await connection();
    idle.put(ours);
    clock.advance(501);
    expect(idle.take(500)).toBeUndefined();
    expect(idle.size).toBe(1);
    expect(idle.take(501)).toBe(ours);
    idle.close();
  });

  test('passes over what was destroyed behind its back', async () => {
    const idle = pool();
    const [a, b] = [await connection(), await connection()];
    idle.put(a.ours);
    idle.put(b.ours);
    b.ours.destroy();
    expect(idle.take()).toBe(a.ours);
    idle.close();
  });
});

describe('keeping', () => {
  test('as many as it may: the oldest goes when another comes', async () => {
    const idle = pool({ max: 2 });
    const all = [await connection(), await connection(), await connection()];
    for (const { ours } of all) idle.put(ours);
    expect(idle.size).toBe(2);
    expect(all.map(({ ours }) => ours.destroyed)).toEqual([true, false, false]);
    idle.close();
  });

  test('none if it may keep none', async () => {
    const idle = pool({ max: 0 });
    const { ours } = await connection();
    idle.put(ours);
    expect(ours.destroyed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test('for a time, counted for each from when it came', async () => {
    const idle = pool();
    const [a, b] = [await connection(), await connection()];
    idle.put(a.ours);
    clock.advance(600);
    idle.put(b.ours);
    clock.advance(399);
    expect(idle.size).toBe(2);
    clock.advance(1);
    expect([a.ours.destroyed, b.ours.destroyed]).toEqual([true, false]);
    clock.advance(600);
    expect(b.ours.destroyed).toBe(true);
    expect(idle.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('counted anew when it comes again', async () => {
    const idle = pool();
    const { ours } = await connection();
    idle.put(ours);
    clock.advance(900);
    const taken = idle.take();
    if (taken) idle.put(taken);
    clock.advance(900);
    expect(idle.size).toBe(1);
    clock.advance(100);
    expect(idle.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('nothing that is destroyed, ended or has something to say', async () => {
    const idle = pool();
    const [destroyed, finished, talking] = [await connection(), await connection(), await connection()];
    destroyed.ours.destroy();
    finished.ours.end();
    talking.theirs.write('unasked');
    await eventually(() => {
      talking.ours.read(0);
      expect(talking.ours.readableLength).toBeGreaterThan(0);
    });
    for (const { ours } of [destroyed, finished, talking]) {
      idle.put(ours);
      expect(ours.destroyed).toBe(true);
    }
    expect(idle.size).toBe(0);
  });

  test('an error of what is dropped is nobody’s', async () => {
    const idle = pool({ max: 0 });
    const { ours } = await connection();
    idle.put(ours);
    expect(ours.listenerCount('error')).toBeGreaterThan(0);
    const other = pool();
    const broken = await connection();
    other.put(broken.ours);
    broken.ours.destroy(new Error('broke behind its back'));
    expect(other.take()).toBeUndefined();
    await isGone(broken.ours);
    other.close();
  });
});

describe('an idle connection', () => {
  test.each<[string, (theirs: Socket) => void]>([
    ['says anything', (theirs) => theirs.write('HTTP/1.1 408 Request Timeout\r\n\r\n')],
    ['ends', (theirs) => theirs.end()],
    ['says something and ends', (theirs) => theirs.end('x')],
    ['breaks', (theirs) => theirs.resetAndDestroy()],
  ])('that %s is dropped', async (_what, act) => {
    const idle = pool();
    const [a, b] = [await connection(), await connection()];
    idle.put(a.ours);
    idle.put(b.ours);
    act(b.theirs);
    await isGone(b.ours);
    expect(idle.size).toBe(1);
    expect(idle.take()).toBe(a.ours);
    idle.close();
  });
});

test('an idle connection that nobody was reading is watched all the same', async () => {
  const idle = pool();
  const { ours, theirs } = await connection();
  ours.pause();
  idle.put(ours);
  theirs.write('unasked');
  await isGone(ours);
  idle.close();
});

describe('a closed pool', () => {
  test('drops all, keeps none and has no timer', async () => {
    const idle = pool();
    const [a, b] = [await connection(), await connection()];
    idle.put(a.ours);
    idle.close();
    idle.put(b.ours);
    expect([a.ours.destroyed, b.ours.destroyed]).toEqual([true, true]);
    expect(idle.size).toBe(0);
    expect(idle.take()).toBeUndefined();
    expect(clock.pending).toBe(0);
    idle.close();
  });
});

describe('the connections of a live server', () => {
  const signal = () => new AbortController().signal;
  const live = () => new LiveServer(serverSnapshot('a', { address: '127.0.0.1', port: port() }), clock);

  test('are counted while they are open, in use or idle', async () => {
    const one = live();
    const counted = () => {
      const { usedConnections, idleConnections } = one.counters();
      return [usedConnections, idleConnections];
    };
    const [a, b] = [await one.connect(1_000, signal()), await one.connect(1_000, signal())];
    opened.push(a, b);
    expect(counted()).toEqual([2, 0]);
    one.giveBack(a);
    expect(counted()).toEqual([1, 1]);
    expect(one.takeIdle()).toBe(a);
    expect(counted()).toEqual([2, 0]);
    one.giveBack(a);
    b.destroy();
    await eventually(() => expect(counted()).toEqual([0, 1]));
    one.closeIdle();
    await eventually(() => expect(counted()).toEqual([0, 0]));
    expect(clock.pending).toBe(0);
  });

  test('are kept no more once that is said, whatever is told of the server afterwards', async () => {
    const one = live();
    const a = await one.connect(1_000, signal());
    opened.push(a);
    one.closeIdle();
    one.update({ ...one.snapshot, weight: 9 });
    one.update({ ...one.snapshot, sendProxy: 'v1' });
    one.update({ ...one.snapshot, sendProxy: undefined });
    const b = await one.connect(1_000, signal());
    opened.push(b);
    one.giveBack(a);
    one.giveBack(b);
    expect([a.destroyed, b.destroyed]).toEqual([true, true]);
    expect(clock.pending).toBe(0);
  });

  test('that failed are not', async () => {
    const abort = new AbortController();
    const one = live();
    const connecting = one.connect(1_000, abort.signal);
    abort.abort(new VaneError('CLIENT_ABORTED', 'gone'));
    await expect(connecting).rejects.toMatchObject({ code: 'CLIENT_ABORTED' });
    expect(one.counters().usedConnections).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('are closed with it, and none is kept any more', async () => {
    const one = live();
    const [a, b] = [await one.connect(1_000, signal()), await one.connect(1_000, signal())];
    opened.push(a, b);
    one.giveBack(a);
    one.remove();
    expect(a.destroyed).toBe(true);
    expect(b.destroyed).toBe(false);
    one.giveBack(b);
    expect(b.destroyed).toBe(true);
  });
});
