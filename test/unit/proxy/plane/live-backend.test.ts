import { describe, expect, test } from 'vitest';
import type { ServerSnapshot } from '../../../../src/balance/server.ts';
import type { BackendConfig } from '../../../../src/config/runtime/backends.ts';
import { type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import type { Lease, LeaseOutcome, Waiting } from '../../../../src/proxy/plane/lease.ts';
import { LiveBackend, type Want } from '../../../../src/proxy/plane/live-backend.ts';
import { FakeClock, settle } from '../../../helpers/fake-clock.ts';
import { backendConfig, serverSnapshot } from '../fixtures.ts';

const A = serverSnapshot('a');
const B = serverSnapshot('b');
const C = serverSnapshot('c');
const one = (server: ServerSnapshot): ServerSnapshot => ({ ...server, maxconn: 1 });
const draining = (server: ServerSnapshot): ServerSnapshot => ({ ...server, admission: 'draining' });

function setUp(servers: readonly ServerSnapshot[] = [A, B, C], changes: Partial<BackendConfig> = {}) {
  const clock = new FakeClock();
  const idle: string[] = [];
  const trouble: string[] = [];
  const cut: string[] = [];
  const steered: string[] = [];
  const observed: string[] = [];
  const backend = new LiveBackend(backendConfig(changes), {
    clock,
    random: () => 0,
    events: {
      idle: ({ name }) => idle.push(name),
      trouble: ({ name }, { code }) => trouble.push(`${name}: ${code}`),
      steered: ({ name }, { change, cause }) => steered.push(`${name}: ${change}, ${cause}`),
      observed: ({ name }) => observed.push(name),
      cut: ({ name }, count) => cut.push(`${name}: ${count}`),
      spared: () => {},
    },
  });
  backend.setServers(servers);
  /** What becomes of those who have to wait, in the order in which it does. */
  const ended: string[] = [];
  const leases = new Map<string, Lease>();
  const wait = (name: string, want: Partial<Want> = {}): Waiting => {
    const got = acquire(backend, want);
    if (!('leave' in got)) throw new Error(`${name} has not had to wait`);
    got.lease.then(
      (lease) => {
        leases.set(name, lease);
        ended.push(`${name}: ${lease.server.name}`);
      },
      (error: VaneError) => ended.push(`${name}: ${error.code}`),
    );
    return got;
  };
  return { clock, backend, cut, idle, trouble, ended, leases, wait };
}

function acquire(backend: LiveBackend, { tried = new Set(), stay }: Partial<Want> = {}): Lease | Waiting {
  return backend.acquire({ tried, stay });
}

/** A place that is there at once. */
function lease(backend: LiveBackend, want: Partial<Want> = {}): Lease {
  const got = acquire(backend, want);
  if ('leave' in got) throw new Error('had to wait');
  return got;
}

function outcome(changes: Partial<LeaseOutcome> = {}): LeaseOutcome {
  return {
    error: undefined,
    status: 200,
    reused: false,
    queuedMs: 0,
    connectMs: 1,
    responseMs: 2,
    totalMs: 4,
    bytesIn: 10,
    bytesOut: 20,
    next: undefined,
    ...changes,
  };
}

const failed = (code: ErrorCode) => outcome({ error: new VaneError(code, 'x'), status: undefined });

/** The code of what is thrown. */
function refusal(fn: () => unknown): ErrorCode | undefined {
  try {
    fn();
  } catch (error) {
    if (error instanceof VaneError) return error.code;
    throw error;
  }
  return undefined;
}

function serverRow(backend: LiveBackend, { id }: ServerSnapshot) {
  const row = backend.counters().servers.find((server) => server.id === id);
  if (!row) throw new Error(`no row of ${id}`);
  return row;
}

describe('the choice of a server', () => {
  test('is the algorithm’s', () => {
    const { backend } = setUp();
    const names = Array.from({ length: 6 }, () => lease(backend).server.name);
    expect(names).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });

  test('counts what is under way for leastconn', () => {
    const { backend } = setUp([A, B], { balance: { kind: 'leastconn' } });
    const first = lease(backend);
    expect(lease(backend).server.name).not.toBe(first.server.name);
    first.done(outcome());
    expect(lease(backend).server.name).toBe(first.server.name);
  });

  test('passes over draining servers, backups and those of weight 0', () => {
    const backup = { ...C, backup: true };
    const { backend } = setUp([draining(A), { ...B, weight: 0 }, serverSnapshot('d'), backup]);
    expect(new Set(Array.from({ length: 4 }, () => lease(backend).server.name))).toEqual(new Set(['d']));
    backend.setServers([draining(A), backup]);
    expect(lease(backend).server.name).toBe('c');
  });

  test('there is none: NO_SERVER, and it is not remembered', () => {
    const { backend } = setUp([]);
    expect(refusal(() => acquire(backend))).toBe('NO_SERVER');
    backend.setServers([draining(A), { ...B, weight: 0 }]);
    expect(refusal(() => acquire(backend))).toBe('NO_SERVER');
    expect(backend.counters()).toMatchObject({ noServer: 2, econ: 2 });
    backend.setServers([A]);
    expect(lease(backend).server.name).toBe('a');
  });

  test('avoids servers that were tried while another one is not', () => {
    const { backend } = setUp();
    const want = { tried: new Set([A.id, C.id]) };
    for (let i = 0; i < 4; i++) expect(lease(backend, want).server.name).toBe('b');
    expect(backend.offersOther(want.tried)).toBe(true);
    want.tried.add(B.id);
    expect(backend.offersOther(want.tried)).toBe(false);
    const names = Array.from({ length: 3 }, () => lease(backend, want).server.name);
    expect(names.sort()).toEqual(['a', 'b', 'c']);
  });

  test('an untried server that may not be used is no other server', () => {
    const { backend } = setUp([A, draining(B), { ...C, backup: true }]);
    const tried = new Set([A.id]);
    expect(backend.offersOther(tried)).toBe(false);
    expect(lease(backend, { tried }).server.name).toBe('a');
  });

  test('stays where it has to, while that server takes work', () => {
    const { backend } = setUp();
    const want = { stay: B.id, tried: new Set([B.id]) };
    for (let i = 0; i < 3; i++) expect(lease(backend, want).server.name).toBe('b');
    backend.setServers([A, draining(B)]);
    expect(lease(backend, want).server.name).toBe('a');
    backend.setServers([C]);
    expect(lease(backend, want).server.name).toBe('c');
  });

  test('survives a change of the algorithm', () => {
    const { backend } = setUp([A, B]);
    lease(backend);
    backend.update(backendConfig({ balance: { kind: 'leastconn' } }));
    expect(lease(backend).server.name).toBe('b');
    expect(backend.counters()).toMatchObject({ lbtot: 2 });
  });
});

describe('maxconn', () => {
  test('lets the next one in as soon as one is done, in order', async () => {
    const { backend, ended, leases, wait, clock } = setUp([one(A)]);
    const first = lease(backend);
    for (const name of ['1', '2', '3']) wait(name);
    expect(backend.queued).toBe(3);
    await clock.advanceAsync(30);
    expect(ended).toEqual([]);
    first.done(outcome());
    await settle();
    expect(ended).toEqual(['1: a']);
    expect(leases.get('1')).toMatchObject({ queuedMs: 30, serverActive: 1 });
    leases.get('1')?.done(outcome());
    await settle();
    expect(ended).toEqual(['1: a', '2: a']);
    expect(backend.queued).toBe(1);
    expect(backend.counters()).toMatchObject({ qcur: 1, qmax: 3 });
  });

  test('is each server’s own, and nobody waits while another has room', () => {
    const { backend } = setUp([one(A), { ...B, maxconn: 2 }]);
    const names = Array.from({ length: 3 }, () => lease(backend).server.name);
    expect(names.sort()).toEqual(['a', 'b', 'b']);
    expect('leave' in acquire(backend)).toBe(true);
  });

  test('that is raised, or lifted, lets those in who wait', async () => {
    const { backend, ended, wait } = setUp([one(A)]);
    lease(backend);
    for (const name of ['1', '2', '3']) wait(name);
    backend.setServers([{ ...A, maxconn: 2 }]);
    await settle();
    expect(ended).toEqual(['1: a']);
    backend.setServers([A]);
    await settle();
    expect(ended).toEqual(['1: a', '2: a', '3: a']);
  });

  test('that is lowered cuts nothing, and lets nobody in until there is room', async () => {
    const { backend, ended, wait } = setUp([A]);
    const held = [lease(backend), lease(backend), lease(backend)];
    backend.setServers([one(A)]);
    expect(held.some(({ cancelled }) => cancelled)).toBe(false);
    wait('1');
    held[0]?.done(outcome());
    held[1]?.done(outcome());
    await settle();
    expect(ended).toEqual([]);
    held[2]?.done(outcome());
    await settle();
    expect(ended).toEqual(['1: a']);
  });

  test('a place given back twice is free once', async () => {
    const { backend, ended, wait } = setUp([one(A)]);
    const first = lease(backend);
    wait('1');
    wait('2');
    first.done(outcome());
    first.done(outcome());
    await settle();
    expect(ended).toEqual(['1: a']);
    expect(backend.counters()).toMatchObject({ lbtot: 2 });
    expect(serverRow(backend, A)).toMatchObject({ scur: 1, reqTot: 1 });
  });
});

describe('the queue', () => {
  test.each([
    [2, 2],
    [0, 1024],
  ])('maxqueue %i takes %i', (maxqueue, places) => {
    const { backend, wait } = setUp([one(A)], { maxqueue });
    lease(backend);
    for (let i = 0; i < places; i++) wait(`${i}`);
    expect(refusal(() => acquire(backend))).toBe('QUEUE_FULL');
    expect(backend.counters()).toMatchObject({ econ: 1, qcur: places });
  });

  test('turns away who has waited for timeout queue', async () => {
    const { backend, clock, ended, wait } = setUp([one(A)]);
    const first = lease(backend);
    wait('1');
    await clock.advanceAsync(4_999);
    wait('2');
    expect(ended).toEqual([]);
    await clock.advanceAsync(1);
    expect(ended).toEqual(['1: QUEUE_TIMEOUT']);
    expect(backend.counters()).toMatchObject({ econ: 1, qcur: 1 });
    first.done(outcome());
    await settle();
    expect(ended).toEqual(['1: QUEUE_TIMEOUT', '2: a']);
    expect(clock.pending).toBe(0);
  });

  test('gives up the place of who leaves', async () => {
    const { backend, ended, wait } = setUp([one(A)]);
    const first = lease(backend);
    const waiting = wait('1');
    wait('2');
    waiting.leave(new VaneError('CLIENT_ABORTED', 'gone'));
    first.done(outcome());
    await settle();
    expect(ended).toEqual(['1: CLIENT_ABORTED', '2: a']);
  });

  test('those who have to stay do not hold up those behind them', async () => {
    const { backend, ended, wait, leases } = setUp([one(A), one(B)]);
    const first = lease(backend);
    const second = lease(backend);
    expect([first.server.name, second.server.name]).toEqual(['a', 'b']);
    wait('stays', { stay: A.id });
    wait('next');
    second.done(outcome());
    await settle();
    expect(ended).toEqual(['next: b']);
    first.done(outcome());
    await settle();
    expect(ended).toEqual(['next: b', 'stays: a']);
    expect(leases.get('stays')?.server.name).toBe('a');
  });

  test('whoever was at a server waits for one he was not at', async () => {
    const { backend, ended, wait } = setUp([A, one(B)]);
    lease(backend);
    const onB = lease(backend);
    expect(onB.server.name).toBe('b');
    wait('1', { tried: new Set([A.id]) });
    // A has room all the time, for others.
    expect(lease(backend).server.name).toBe('a');
    onB.done(outcome());
    await settle();
    expect(ended).toEqual(['1: b']);
  });

  test('waits on when the last server leaves, and is served by the one that comes', async () => {
    const { backend, ended, wait } = setUp([one(A)]);
    lease(backend);
    wait('1');
    wait('2');
    backend.setServers([]);
    expect(refusal(() => acquire(backend))).toBe('NO_SERVER');
    await settle();
    expect(ended).toEqual([]);
    backend.setServers([one(C)]);
    await settle();
    expect(ended).toEqual(['1: c']);
  });

  test('a server that drains serves nobody who waits', async () => {
    const { backend, ended, wait } = setUp([one(A)]);
    const first = lease(backend);
    wait('1');
    backend.setServers([draining(one(A))]);
    first.done(outcome());
    await settle();
    expect(ended).toEqual([]);
    backend.setServers([one(A)]);
    await settle();
    expect(ended).toEqual(['1: a']);
  });

  test('serves at once whom a change of the configuration lets in', async () => {
    const { backend, clock, ended, wait } = setUp([one(A)], { maxqueue: 1 });
    lease(backend);
    wait('1');
    backend.update(backendConfig({ maxqueue: 2, timeout: { ...backend.config.timeout, queue: 50 } }));
    wait('2');
    await clock.advanceAsync(50);
    // Each by the time that held when he came.
    expect(ended).toEqual(['2: QUEUE_TIMEOUT']);
  });
});

describe('servers that go', () => {
  test('have their work cut, after the new ones are there', () => {
    const { backend } = setUp([A]);
    const held = lease(backend);
    const reasons: string[] = [];
    held.onCancel = (reason) => {
      reasons.push(reason.code);
      // Repeated at once, as the request life does.
      expect(lease(backend).server.name).toBe('b');
    };
    backend.setServers([B]);
    expect(reasons).toEqual(['SERVER_REMOVED']);
    expect(held.cancelled?.code).toBe('SERVER_REMOVED');
  });

  test('tell how much of their work was cut, unless none was', () => {
    const { backend, cut } = setUp([A, B]);
    for (let i = 0; i < 3; i++) lease(backend);
    backend.setServers([C]);
    expect(cut).toEqual(['a: 2', 'b: 1']);
    backend.setServers([]);
    expect(cut).toHaveLength(2);
    expect(backend.counters().drainCut).toBe(3);
  });

  test('cut each piece of work once, and none that is done', () => {
    const { backend } = setUp([A]);
    const done = lease(backend);
    const held = lease(backend);
    const cut: string[] = [];
    done.onCancel = () => cut.push('done');
    held.onCancel = () => cut.push('held');
    done.done(outcome());
    backend.setServers([]);
    backend.cut(new VaneError('STOPPING', 'over'));
    expect(cut).toEqual(['held']);
  });

  test('do not take back why work was told to end', () => {
    const { backend } = setUp([A]);
    const held = lease(backend);
    const reasons: string[] = [];
    held.onCancel = ({ code }) => reasons.push(code);
    backend.cut(new VaneError('STOPPING', 'over'));
    backend.setServers([]);
    expect(reasons).toEqual(['STOPPING']);
    expect(held.cancelled?.code).toBe('STOPPING');
  });

  test('are forgotten with their counters; the backend’s stay', () => {
    const { backend } = setUp([A, B]);
    const held = lease(backend);
    backend.setServers([B]);
    held.done(failed('SERVER_REMOVED'));
    expect(backend.counters().servers.map(({ id }) => id)).toEqual([B.id]);
    expect(backend.counters()).toMatchObject({ lbtot: 1 });
    expect(backend.active).toBe(0);
  });

  test('and come again are new ones', () => {
    const { backend } = setUp([A]);
    const old = lease(backend);
    backend.setServers([]);
    backend.setServers([one(A)]);
    const fresh = lease(backend);
    old.done(outcome());
    expect(fresh.cancelled).toBeUndefined();
    expect(serverRow(backend, A)).toMatchObject({ scur: 1, stot: 1, reqTot: 0 });
    expect(backend.counters().drainCut).toBe(1);
    // The old one's place is not this one's.
    expect('leave' in acquire(backend)).toBe(true);
  });

  test('keep their state over changes that leave them', () => {
    const { backend } = setUp([A]);
    const held = lease(backend);
    backend.setServers([{ ...A, weight: 5, name: 'renamed' }, B]);
    expect(held.cancelled).toBeUndefined();
    held.done(outcome());
    expect(serverRow(backend, A)).toMatchObject({ scur: 0, stot: 1, reqTot: 1 });
  });
});

describe('drains', () => {
  test('are told to be over exactly once, when the last work is done', () => {
    const { backend, idle } = setUp([A, B]);
    const held = [lease(backend), lease(backend), lease(backend)];
    backend.setServers([draining(A), B]);
    expect(idle).toEqual([]);
    held[0]?.done(outcome());
    expect(idle).toEqual([]);
    held[2]?.done(outcome());
    expect(idle).toEqual(['a']);
    backend.setServers([draining(A), B]);
    backend.setServers([{ ...draining(A), weight: 9 }, B]);
    held[1]?.done(outcome());
    expect(idle).toEqual(['a']);
  });

  test('of idle servers are over at once, also of those that were never open', () => {
    const { backend, idle } = setUp([A, draining(B)]);
    expect(idle).toEqual(['b']);
    backend.setServers([draining(A), draining(B)]);
    expect(idle).toEqual(['b', 'a']);
  });

  test('begun anew are told anew', () => {
    const { backend, idle } = setUp([draining(A)]);
    backend.setServers([A]);
    const held = lease(backend);
    backend.setServers([draining(A)]);
    expect(idle).toEqual(['a']);
    held.done(outcome());
    expect(idle).toEqual(['a', 'a']);
  });

  test('taken back are not told', () => {
    const { backend, idle } = setUp([A]);
    const held = lease(backend);
    backend.setServers([draining(A)]);
    backend.setServers([A]);
    held.done(outcome());
    expect(idle).toEqual([]);
  });

  test('of servers that are gone concern nobody', () => {
    const { backend, idle } = setUp([A]);
    const held = lease(backend);
    backend.setServers([draining(A)]);
    backend.setServers([]);
    held.done(failed('SERVER_REMOVED'));
    expect(idle).toEqual([]);
  });
});

describe('trouble', () => {
  test('of a server is told, a few times a second for each kind', () => {
    const { backend, clock, trouble } = setUp([A]);
    const fail = (code: ErrorCode) => lease(backend).done(failed(code));
    clock.advance(10_000);
    for (let i = 0; i < 50; i++) fail('CONNECT_REFUSED');
    for (let i = 0; i < 50; i++) fail('UPSTREAM_TIMEOUT');
    expect(trouble).toEqual([
      ...new Array(3).fill('a: CONNECT_REFUSED'),
      ...new Array(3).fill('a: UPSTREAM_TIMEOUT'),
    ]);
    clock.advance(5_000);
    fail('CONNECT_REFUSED');
    expect(trouble).toHaveLength(7);
  });

  test('stays limited over time', () => {
    const { backend, clock, trouble } = setUp([A]);
    for (let at = 0; at < 60_000; at += 10) {
      lease(backend).done(failed('CONNECT_REFUSED'));
      clock.advance(10);
    }
    expect(trouble.length).toBeLessThanOrEqual(4 * 60);
    expect(trouble.length).toBeGreaterThanOrEqual(60);
  });

  test('is not what clients or we ourselves have done', () => {
    const { backend, trouble } = setUp([A]);
    for (const code of [
      'CLIENT_ABORTED',
      'CLIENT_TIMEOUT',
      'SERVER_REMOVED',
      'STOPPING',
      'INTERNAL',
    ] as const) {
      lease(backend).done(failed(code));
    }
    lease(backend).done(outcome());
    expect(trouble).toEqual([]);
  });
});

describe('cut', () => {
  test('ends what is under way, turns the queue away, and lets nothing come back', async () => {
    const { backend, clock, ended, wait } = setUp([one(A)]);
    const held = lease(backend);
    wait('1');
    const again: (ErrorCode | undefined)[] = [];
    held.onCancel = () => {
      held.done(failed('SERVER_REMOVED'));
      again.push(refusal(() => acquire(backend)));
    };
    backend.cut(new VaneError('SERVER_REMOVED', 'backend was removed'));
    await settle();
    expect(ended).toEqual(['1: SERVER_REMOVED']);
    expect(again).toEqual(['SERVER_REMOVED']);
    backend.setServers([A, B]);
    expect(refusal(() => acquire(backend))).toBe('SERVER_REMOVED');
    expect(backend.active).toBe(0);
    expect(clock.pending).toBe(0);
  });
});

describe('counters', () => {
  test('of a server are what it did, of the backend what its attempts met', () => {
    const { backend, clock } = setUp([A, B]);
    clock.advance(1_000);
    lease(backend).done(outcome());
    lease(backend).done(outcome({ ...failed('CONNECT_REFUSED'), reused: undefined, next: 'redispatch' }));
    const third = lease(backend);
    expect(serverRow(backend, A)).toMatchObject({
      ...{ scur: 1, smax: 1, stot: 2, lbtot: 2, reqTot: 1, hrsp2xx: 1, connect: 1, reuse: 0 },
      ...{ bin: 10, bout: 20, ttime: 4, lastSession: clock.wall(), rate: 2 },
    });
    expect(serverRow(backend, B)).toMatchObject({
      scur: 0,
      lbtot: 1,
      reqTot: 0,
      connect: 1,
      wredis: 1,
      econ: 0,
    });
    expect(backend.counters()).toMatchObject({
      ...{ name: 'web', mode: 'http', lbtot: 3, connect: 2, wredis: 1, econ: 0, qcur: 0, noServer: 0 },
      ...{ lastSession: clock.wall(), duration: { count: 0 } },
    });
    third.done(outcome({ reused: true }));
    expect(serverRow(backend, A)).toMatchObject({ reuse: 1, connect: 1, reqTot: 2 });
    expect(backend.active).toBe(0);
  });
});
