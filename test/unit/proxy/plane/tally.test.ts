import { describe, expect, test } from 'vitest';
import { type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import { countAttempt, countWork } from '../../../../src/proxy/plane/count.ts';
import { FrontendTally } from '../../../../src/proxy/plane/frontend-tally.ts';
import type { LeaseOutcome } from '../../../../src/proxy/plane/lease.ts';
import { ResponseTally, SessionTally, WorkTally } from '../../../../src/proxy/plane/tally.ts';
import { settle } from '../../../helpers/fake-clock.ts';

describe('ResponseTally', () => {
  test.each([
    [100, 'hrsp1xx'],
    [200, 'hrsp2xx'],
    [299, 'hrsp2xx'],
    [304, 'hrsp3xx'],
    [404, 'hrsp4xx'],
    [503, 'hrsp5xx'],
    [599, 'hrsp5xx'],
    [600, 'hrspOther'],
    [99, 'hrspOther'],
    [undefined, 'hrspOther'],
  ] as const)('%s is counted as %s and nothing else', (status, column) => {
    const tally = new ResponseTally();
    tally.add(status);
    const none = { hrsp1xx: 0, hrsp2xx: 0, hrsp3xx: 0, hrsp4xx: 0, hrsp5xx: 0, hrspOther: 0 };
    expect(tally.read()).toEqual({ ...none, [column]: 1 });
  });
});

describe('SessionTally', () => {
  test('knows how many are open, were open at once, came in all, and came in the last second', () => {
    const tally = new SessionTally();
    tally.begin(0);
    tally.begin(10);
    tally.end();
    tally.begin(20);
    tally.end();
    expect(tally.read(30)).toEqual({ scur: 1, smax: 2, stot: 3, bin: 0, bout: 0, rate: 3, rateMax: 3 });
    expect(tally.read(9_000)).toMatchObject({ scur: 1, rate: 0, rateMax: 3 });
  });

  test('tells when none is left', async () => {
    const tally = new SessionTally();
    await tally.none();
    tally.begin(0);
    tally.begin(0);
    let none = false;
    void tally.none().then(() => {
      none = true;
    });
    tally.end();
    await settle();
    expect(none).toBe(false);
    tally.end();
    await settle();
    expect(none).toBe(true);
  });
});

describe('FrontendTally', () => {
  test('counts connections and requests apart', () => {
    const tally = new FrontendTally();
    tally.connections.hit(0);
    for (const at of [1, 2, 3]) tally.requests.hit(at);
    tally.sessions.begin(4);
    tally.responses.add(200);
    tally.dcon = 5;
    expect(tally.read(10)).toMatchObject({
      scur: 1,
      hrsp2xx: 1,
      dcon: 5,
      connRate: 1,
      connRateMax: 1,
      reqRate: 3,
      reqRateMax: 3,
    });
  });
});

describe('countWork', () => {
  const work = {
    status: 200,
    bytesIn: 10,
    bytesOut: 20,
    queuedMs: 1,
    connectMs: 2,
    responseMs: 3,
    totalMs: 6,
  };

  test('counts an answer, its bytes and its times', () => {
    const tally = new WorkTally();
    countWork(tally, work);
    countWork(tally, { ...work, queuedMs: 3, connectMs: undefined, responseMs: undefined, totalMs: 8 });
    expect(tally.read(0, 7)).toMatchObject({
      ...{ reqTot: 2, hrsp2xx: 2, bin: 20, bout: 40, qcur: 7 },
      ...{ qtime: 2, ctime: 2, rtime: 3, ttime: 7 },
      ...{ qtimeMax: 3, ctimeMax: 2, rtimeMax: 3, ttimeMax: 8 },
    });
  });

  test('counts no answer where there was none', () => {
    const tally = new WorkTally();
    countWork(tally, { ...work, status: undefined });
    expect(tally.read(0, 0)).toMatchObject({ reqTot: 0, hrsp2xx: 0, hrspOther: 0, bin: 10, ttime: 6 });
  });
});

describe('countAttempt', () => {
  type Counted = Partial<
    Record<'econ' | 'eresp' | 'wretr' | 'wredis' | 'cliAbrt' | 'srvAbrt' | 'connect' | 'reuse', number>
  >;
  const attempt = (code: ErrorCode | undefined, changes: Partial<LeaseOutcome> = {}): LeaseOutcome => ({
    error: code && new VaneError(code, 'x'),
    status: undefined,
    reused: false,
    queuedMs: 0,
    connectMs: 0,
    responseMs: undefined,
    totalMs: 0,
    bytesIn: 0,
    bytesOut: 0,
    next: undefined,
    ...changes,
  });
  const none = { reused: undefined };

  test.each<[string, LeaseOutcome, Counted]>([
    ['success', attempt(undefined, { status: 200 }), { connect: 1 }],
    ['success over an idle connection', attempt(undefined, { status: 200, reused: true }), { reuse: 1 }],
    ['a refused connection', attempt('CONNECT_REFUSED', none), { connect: 1, econ: 1 }],
    ['a connection that took too long', attempt('CONNECT_TIMEOUT', none), { connect: 1, econ: 1 }],
    ['one that failed otherwise', attempt('CONNECT_FAILED', none), { connect: 1, econ: 1 }],
    ['one tried again', attempt('CONNECT_REFUSED', { ...none, next: 'retry' }), { connect: 1, wretr: 1 }],
    [
      'one tried elsewhere',
      attempt('CONNECT_REFUSED', { ...none, next: 'redispatch' }),
      { connect: 1, wredis: 1 },
    ],
    ['a server that closed before its answer', attempt('UPSTREAM_CLOSED'), { connect: 1, eresp: 1 }],
    [
      'the same, tried elsewhere',
      attempt('UPSTREAM_CLOSED', { next: 'redispatch' }),
      { connect: 1, wredis: 1 },
    ],
    [
      'a server that broke its answer off',
      attempt('UPSTREAM_CLOSED', { status: 200 }),
      { connect: 1, eresp: 1, srvAbrt: 1 },
    ],
    [
      'a server that broke a relay off',
      attempt('UPSTREAM_CLOSED', { relayed: true }),
      { connect: 1, eresp: 1, srvAbrt: 1 },
    ],
    ['a slow server', attempt('UPSTREAM_TIMEOUT'), { connect: 1, eresp: 1 }],
    [
      'a server that got slow',
      attempt('UPSTREAM_TIMEOUT', { status: 200 }),
      { connect: 1, eresp: 1, srvAbrt: 1 },
    ],
    ['no HTTP', attempt('UPSTREAM_PROTOCOL'), { connect: 1, eresp: 1 }],
    ['a client that left', attempt('CLIENT_ABORTED'), { connect: 1, cliAbrt: 1 }],
    ['a client that was slow', attempt('CLIENT_TIMEOUT'), { connect: 1, cliAbrt: 1 }],
    ['a client that left before there was a connection', attempt('CLIENT_ABORTED', none), { cliAbrt: 1 }],
    [
      'a server that was removed',
      attempt('SERVER_REMOVED', { next: 'redispatch' }),
      { connect: 1, wredis: 1 },
    ],
  ])('%s', (_what, outcome, counted) => {
    const tally = new WorkTally();
    countAttempt(tally, outcome);
    const { econ, eresp, wretr, wredis, cliAbrt, srvAbrt, connect, reuse } = tally.read(0, 0);
    const zero = { econ: 0, eresp: 0, wretr: 0, wredis: 0, cliAbrt: 0, srvAbrt: 0, connect: 0, reuse: 0 };
    expect({ econ, eresp, wretr, wredis, cliAbrt, srvAbrt, connect, reuse }).toEqual({ ...zero, ...counted });
  });
});
