import { describe, expect, test } from 'vitest';
import { VaneError } from '../../../../src/core/errors.ts';
import type { Lease } from '../../../../src/proxy/plane/lease.ts';
import { type Place, WaitQueue } from '../../../../src/proxy/plane/wait-queue.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';
import { serverSnapshot } from '../fixtures.ts';

const late = () => new VaneError('QUEUE_TIMEOUT', 'late');
const gone = new VaneError('CLIENT_ABORTED', 'gone');

function lease(name: string): Lease {
  const server = serverSnapshot(name);
  const connections = {
    takeIdle: () => undefined,
    connect: () => Promise.reject(new Error('none')),
    giveBack: () => {},
  };
  const facts = { queuedMs: 0, serverActive: 1, cancelled: undefined, onCancel: undefined };
  return { server, connections, ...facts, answered: () => {}, done: () => {} };
}

function setUp() {
  const clock = new FakeClock();
  const queue = new WaitQueue(clock);
  const ended: string[] = [];
  /** Joins; what becomes of it is noted under its name. */
  const join = (name: string, timeout = 1_000, stay?: string) => {
    const waiting = queue.join({ tried: new Set(), stay }, timeout, late);
    waiting.lease.then(
      ({ server }) => ended.push(`${name}: ${server.name}`),
      (error: VaneError) => ended.push(`${name}: ${error.code}`),
    );
    return waiting;
  };
  /** Serves as many as given, in their order. */
  const serve = (count: number) => {
    let left = count;
    queue.serve(
      () => (left-- > 0 ? lease('s') : undefined),
      () => left <= 0,
    );
  };
  return { clock, queue, ended, join, serve };
}

describe('WaitQueue', () => {
  test('serves in the order they came, as many as can be', async () => {
    const { clock, queue, ended, join, serve } = setUp();
    for (const name of ['a', 'b', 'c']) join(name);
    expect(queue.length).toBe(3);
    serve(2);
    await settle();
    expect(ended).toEqual(['a: s', 'b: s']);
    expect(queue.length).toBe(1);
    serve(1);
    await settle();
    expect(ended).toEqual(['a: s', 'b: s', 'c: s']);
    expect(clock.pending).toBe(0);
  });

  test('passes over who cannot be served now, and keeps his place', async () => {
    const { queue, ended, join } = setUp();
    join('a', 1_000, 'full');
    join('b');
    queue.serve(
      ({ stay }: Place) => (stay === 'full' ? undefined : lease('s')),
      () => false,
    );
    await settle();
    expect(ended).toEqual(['b: s']);
    join('c');
    const offered: (string | undefined)[] = [];
    queue.serve(
      ({ stay }) => {
        offered.push(stay);
        return undefined;
      },
      () => false,
    );
    expect(offered).toEqual(['full', undefined]);
  });

  test('asks nobody when nobody can be served', () => {
    const { queue, join } = setUp();
    join('a').lease.catch(() => {});
    queue.serve(
      () => expect.unreachable(),
      () => true,
    );
    expect(queue.length).toBe(1);
  });

  test('turns away who has waited long enough, and nobody else', async () => {
    const { clock, queue, ended, join } = setUp();
    join('a', 100);
    join('b', 200);
    await clock.advanceAsync(99);
    expect(ended).toEqual([]);
    await clock.advanceAsync(1);
    expect(ended).toEqual(['a: QUEUE_TIMEOUT']);
    expect(queue.length).toBe(1);
    await clock.advanceAsync(100);
    expect(ended).toEqual(['a: QUEUE_TIMEOUT', 'b: QUEUE_TIMEOUT']);
    expect(clock.pending).toBe(0);
  });

  test('without a timeout waits as long as it takes', async () => {
    const { clock, ended, join, serve } = setUp();
    join('a', 0);
    await clock.advanceAsync(1e9);
    expect(ended).toEqual([]);
    serve(1);
    await settle();
    expect(ended).toEqual(['a: s']);
  });

  test('gives up the place of who leaves, whenever he does', async () => {
    const { clock, queue, ended, join, serve } = setUp();
    const a = join('a');
    const b = join('b');
    a.leave(gone);
    expect(queue.length).toBe(1);
    serve(5);
    await settle();
    expect(ended).toEqual(['a: CLIENT_ABORTED', 'b: s']);
    // Too late: b is served.
    b.leave(gone);
    a.leave(gone);
    await settle();
    expect(ended).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  test('turns everybody away at once', async () => {
    const { clock, queue, ended, join } = setUp();
    for (const name of ['a', 'b']) join(name);
    queue.clear(new VaneError('STOPPING', 'over'));
    await settle();
    expect(ended).toEqual(['a: STOPPING', 'b: STOPPING']);
    expect(queue.length).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('tells since when a place is held', () => {
    const { clock, queue, join } = setUp();
    clock.advance(70);
    join('a').lease.catch(() => {});
    queue.serve(
      ({ since }) => {
        expect(since).toBe(70);
        return undefined;
      },
      () => false,
    );
    expect.assertions(1);
  });
});
