import { describe, expect, test } from 'vitest';
import type { ServerSnapshot } from '../../../../src/balance/server.ts';
import { type ErrorCode, VaneError } from '../../../../src/core/errors.ts';
import { settle } from '../../../helpers/fake-clock.ts';
import { CLIENT, parseRule, parseUse, requestHead, serverSnapshot, valuesOf } from '../fixtures.ts';
import { LifeScene } from './life-scene.ts';
import { breaksOff, fails, holds, refuses, succeeds } from './scripted-exchange.ts';

const A = serverSnapshot('a');
const B = serverSnapshot('b');
const C = serverSnapshot('c');
const one = (server: ServerSnapshot): ServerSnapshot => ({ ...server, maxconn: 1 });
const POST = requestHead('POST', '/', [['Host', 'a.example']], { bodyless: false });

/** What every request leaves behind, however it ended. */
function expectNothingLeft(scene: LifeScene): void {
  expect(scene.backend.active).toBe(0);
  expect(scene.backend.queued).toBe(0);
  expect(scene.counters.scur).toBe(0);
  expect(scene.clock.pending).toBe(0);
}

describe('success', () => {
  test('is one attempt, counted and logged', async () => {
    const scene = new LifeScene();
    const exchange = await scene.run([succeeds()], requestHead('GET', '/x?y'));
    expect(exchange.ends).toEqual(['whole answer']);
    expect(exchange.attempts).toHaveLength(1);
    expect(exchange.attempts[0]).toMatchObject({
      server: A,
      fresh: false,
      target: '/x?y',
      headers: ['Host', 'a.example'],
      timeout: { connect: 5_000, server: 30_000, tunnel: 3_600_000 },
      closeAfter: false,
    });
    expect(scene.frontend.tally.read(1_000)).toMatchObject({
      ...{ reqTot: 1, reqRate: 1, hrsp2xx: 1, bin: 100, bout: 200, dreq: 0, intercepted: 0, ereq: 0 },
    });
    expect(scene.counters).toMatchObject({
      ...{ reqTot: 1, hrsp2xx: 1, lbtot: 1, stot: 1, smax: 1, bin: 100, bout: 200, connect: 1, reuse: 0 },
      ...{ econ: 0, eresp: 0, wretr: 0, wredis: 0, duration: { count: 1 }, rtime: 4, ttime: 3 },
    });
    expect(scene.server('a')).toMatchObject({ reqTot: 1, hrsp2xx: 1, bin: 50, bout: 70, stot: 1 });
    expect(scene.entry).toEqual({
      mode: 'http',
      format: 'json',
      client: CLIENT,
      frontend: 'www',
      backend: 'web',
      server: 'a',
      serverId: A.id,
      bytesRead: 200,
      bytesUploaded: 100,
      termination: '--',
      connections: { process: 9, frontend: 0, backend: 1, server: 1 },
      retries: 0,
      redispatched: false,
      queues: { server: 0, backend: 0 },
      error: undefined,
      at: scene.clock.wall() - 3,
      times: { request: 3, queue: 0, connect: 1, response: 4, active: 3 },
      status: 200,
      request: { method: 'GET', target: '/x?y', httpVersion: '1.1' },
      host: 'a.example',
    });
    expectNothingLeft(scene);
  });

  test('over an idle connection counts as one reused', async () => {
    const scene = new LifeScene();
    await scene.run([succeeds({ reused: true, connectMs: 0 })]);
    expect(scene.counters).toMatchObject({ connect: 0, reuse: 1 });
  });

  test('is not logged where nothing is', async () => {
    const scene = new LifeScene({
      frontend: {
        options: { forwardfor: true, accessLog: 'off', httpLane: 'direct', maxConcurrentStreams: 100 },
      },
    });
    const { attempts } = await scene.run();
    expect(scene.entries).toEqual([]);
    expect(valuesOf(attempts[0]?.headers ?? [], 'x-forwarded-for')).toEqual([CLIENT.address]);
  });

  test('goes to the backend that the rules name, with what they say', async () => {
    const scene = new LifeScene({
      frontend: {
        httpRequest: [parseRule('set-path /new if { path /old }')],
        useBackend: [parseUse('web if { path /new }')],
        defaultBackend: 'none',
      },
    });
    const { attempts } = await scene.run([], requestHead('GET', '/old'));
    expect(attempts[0]?.target).toBe('/new');
    // The log has what was asked.
    expect(scene.entry).toMatchObject({ backend: 'web', request: { target: '/old' } });
  });

  test('of a plane that is being emptied ends the client’s connection', async () => {
    const scene = new LifeScene();
    scene.draining = true;
    const { attempts } = await scene.run();
    expect(attempts[0]?.closeAfter).toBe(true);
    scene.draining = false;
    scene.site.draining = true;
    expect((await scene.run()).attempts[0]?.closeAfter).toBe(true);
  });
});

describe('answers of our own', () => {
  test('a denial', async () => {
    const scene = new LifeScene({ frontend: { httpRequest: [parseRule('deny')] } });
    const { answers, attempts, ends } = await scene.run();
    expect(attempts).toEqual([]);
    expect(ends).toEqual(['respond']);
    expect(answers).toMatchObject([{ status: 403, close: false }]);
    expect(scene.frontend.tally).toMatchObject({ dreq: 1, intercepted: 0, responses: { hrsp4xx: 1 } });
    expect(scene.counters).toMatchObject({ stot: 0, reqTot: 0 });
    expect(scene.entry).toMatchObject({
      ...{ termination: 'PR', status: 403, backend: 'www', server: '<NOSRV>', serverId: undefined },
      ...{ times: { queue: -1, connect: -1, response: -1 }, error: undefined },
    });
  });

  test('a return, and a redirect', async () => {
    const httpRequest = [
      parseRule('return status 200 string ok if { path /ok }'),
      parseRule('redirect location /'),
    ];
    const scene = new LifeScene({ frontend: { httpRequest } });
    expect((await scene.run([], requestHead('GET', '/ok'))).answers).toMatchObject([
      { status: 200, body: 'ok' },
    ]);
    expect((await scene.run()).answers).toMatchObject([{ status: 302 }]);
    expect(scene.entries).toMatchObject([
      { termination: 'LR', status: 200 },
      { termination: 'LR', status: 302 },
    ]);
    expect(scene.frontend.tally).toMatchObject({ dreq: 0, intercepted: 2 });
  });

  test('end the client’s connection when the plane is being emptied', async () => {
    const scene = new LifeScene({ frontend: { httpRequest: [parseRule('deny')] } });
    scene.site.draining = true;
    expect((await scene.run()).answers).toMatchObject([{ status: 403, close: true }]);
  });
});

describe('nobody to serve it', () => {
  test.each([undefined, 'unknown'])('no backend is meant for it: 503 (%s)', async (defaultBackend) => {
    const scene = new LifeScene({ frontend: { defaultBackend } });
    const { answers } = await scene.run();
    expect(answers).toMatchObject([{ status: 503, close: false }]);
    expect(valuesOf(answers[0]?.headers ?? [], 'x-vane-reason')).toEqual(['NO_SERVER']);
    expect(scene.entry).toMatchObject({ termination: 'SC', backend: 'www', error: { code: 'NO_SERVER' } });
    expect(scene.counters).toMatchObject({ stot: 0, noServer: 0 });
  });

  test('no server takes work: 503, and the next request finds the server that came', async () => {
    const scene = new LifeScene({ servers: [] });
    const { answers } = await scene.run();
    expect(answers).toMatchObject([{ status: 503, close: false }]);
    expect(valuesOf(answers[0]?.headers ?? [], 'x-vane-reason')).toEqual(['NO_SERVER']);
    expect(scene.entry).toMatchObject({
      ...{ termination: 'SC', backend: 'web', server: '<NOSRV>', status: 503 },
      ...{ times: { queue: -1, connect: -1, response: -1 }, connections: { backend: 1, server: 0 } },
    });
    expect(scene.counters).toMatchObject({ noServer: 1, econ: 1, hrsp5xx: 1, reqTot: 1, stot: 1 });
    expect(scene.frontend.tally.responses.hrsp5xx).toBe(1);
    scene.backend.setServers([A]);
    expect((await scene.run()).ends).toEqual(['whole answer']);
    expectNothingLeft(scene);
  });
});

describe('a connection that is refused', () => {
  test('is tried on another server at once', async () => {
    const scene = new LifeScene();
    const exchange = await scene.run([refuses(), succeeds()], POST);
    expect(exchange.servers).toEqual(['a', 'b']);
    expect(exchange.ends).toEqual(['whole answer']);
    expect(scene.entry).toMatchObject({ server: 'b', retries: 1, redispatched: true, termination: '--' });
    expect(scene.counters).toMatchObject({ wredis: 1, wretr: 0, econ: 0, connect: 2, lbtot: 2, reqTot: 1 });
    expect(scene.server('a')).toMatchObject({ wredis: 1, econ: 0, reqTot: 0, connect: 1 });
    expect(scene.server('b')).toMatchObject({ wredis: 0, reqTot: 1, connect: 1 });
    expectNothingLeft(scene);
  });

  test.each([
    [5_000, 1_000],
    [300, 300],
    [0, 1_000],
  ])('timeout connect %i: on the only server after %i ms', async (connect, wait) => {
    const timeout = { connect, server: 0, queue: 0, tunnel: 0, check: undefined };
    const scene = new LifeScene({ servers: [A], backend: { timeout } });
    const running = await scene.begin([refuses(), succeeds()]);
    await scene.clock.advanceAsync(wait - 1);
    expect(running.exchange.attempts).toHaveLength(1);
    // Nobody's place is held meanwhile.
    expect(scene.backend.active).toBe(0);
    await scene.clock.advanceAsync(1);
    expect(running.over).toBe(true);
    expect(running.exchange.servers).toEqual(['a', 'a']);
    expect(scene.entry).toMatchObject({ retries: 1, redispatched: false, times: { connect: wait + 1 } });
    expect(scene.counters).toMatchObject({ wretr: 1, wredis: 0 });
    expectNothingLeft(scene);
  });

  test('stays on its server without redispatch', async () => {
    const scene = new LifeScene({ backend: { redispatch: false, retries: 2 } });
    const running = await scene.begin([refuses(), refuses(), succeeds()]);
    await scene.clock.advanceAsync(2_000);
    expect(running.exchange.servers).toEqual(['a', 'a', 'a']);
    expect(running.exchange.times).toEqual([1_000, 2_000, 3_000]);
    expect(scene.entry).toMatchObject({ retries: 2, redispatched: false });
    expectNothingLeft(scene);
  });

  test('without redispatch moves on when its server is gone', async () => {
    const scene = new LifeScene({ servers: [A], backend: { redispatch: false } });
    const running = await scene.begin([refuses(), succeeds()]);
    scene.backend.setServers([B]);
    await scene.clock.advanceAsync(1_000);
    expect(running.exchange.servers).toEqual(['a', 'b']);
    expectNothingLeft(scene);
  });

  test('goes round all servers before any is tried again', async () => {
    const scene = new LifeScene({ servers: [A, B, C], backend: { retries: 5 } });
    const running = await scene.begin([refuses(), refuses(), refuses(), refuses(), succeeds()]);
    expect(running.exchange.servers).toHaveLength(3);
    expect(new Set(running.exchange.servers)).toEqual(new Set(['a', 'b', 'c']));
    await scene.clock.advanceAsync(2_000);
    expect(running.over).toBe(true);
    expect(running.exchange.attempts).toHaveLength(5);
    expectNothingLeft(scene);
  });

  test.each<[ErrorCode, string]>([
    ['CONNECT_REFUSED', 'SC'],
    ['CONNECT_TIMEOUT', 'sC'],
    ['CONNECT_FAILED', 'SC'],
  ])('again and again is 503: %s', async (code, termination) => {
    const scene = new LifeScene({ backend: { retries: 1 } });
    const { answers, servers } = await scene.run([refuses(code), refuses(code)]);
    expect(servers).toEqual(['a', 'b']);
    expect(answers).toMatchObject([{ status: 503, close: false }]);
    expect(valuesOf(answers[0]?.headers ?? [], 'x-vane-reason')).toEqual([code]);
    expect(scene.entry).toMatchObject({
      ...{ termination, server: 'b', retries: 1, status: 503 },
      ...{ error: { code }, times: { queue: 0, connect: -1, response: -1 } },
    });
    expect(scene.counters).toMatchObject({ econ: 1, wredis: 1, hrsp5xx: 1 });
    expect(scene.server('a')).toMatchObject({ econ: 0 });
    expect(scene.server('b')).toMatchObject({ econ: 1, hrsp5xx: 0 });
    expectNothingLeft(scene);
  });

  test('is not tried again with retries 0', async () => {
    const scene = new LifeScene({ backend: { retries: 0 } });
    expect((await scene.run([refuses()])).servers).toEqual(['a']);
    expect(scene.entry).toMatchObject({ retries: 0, status: 503 });
  });
});

describe('a request that was sent', () => {
  test('is sent again only if it is safe', async () => {
    const scene = new LifeScene();
    const get = await scene.run([fails('UPSTREAM_CLOSED'), succeeds()]);
    expect(get.servers).toHaveLength(2);
    expect(scene.counters).toMatchObject({ wredis: 1, eresp: 0 });
    const post = await scene.run([fails('UPSTREAM_CLOSED')], POST);
    expect(post.servers).toHaveLength(1);
    expect(post.answers).toMatchObject([{ status: 502 }]);
    expect(scene.entry).toMatchObject({
      termination: 'SH',
      status: 502,
      times: { connect: 1, response: -1 },
    });
    expect(scene.counters).toMatchObject({ wredis: 1, eresp: 1 });
    expectNothingLeft(scene);
  });

  test('and closed on again waits for nothing before the only server is asked again', async () => {
    const scene = new LifeScene({ servers: [A] });
    expect((await scene.run([fails('UPSTREAM_CLOSED'), succeeds()])).servers).toEqual(['a', 'a']);
  });

  test.each<[ErrorCode, number, string]>([
    ['UPSTREAM_CLOSED', 502, 'SH'],
    ['UPSTREAM_TIMEOUT', 504, 'sH'],
    ['UPSTREAM_PROTOCOL', 502, 'PH'],
  ])('%s is %i when no attempt may follow', async (code, status, termination) => {
    const scene = new LifeScene({ backend: { retries: 0 } });
    const { answers } = await scene.run([fails(code)]);
    expect(answers).toMatchObject([{ status, close: false }]);
    expect(scene.entry).toMatchObject({ termination, status, server: 'a' });
    expect(scene.counters).toMatchObject({ eresp: 1, srvAbrt: 0, hrsp5xx: 1 });
  });

  test('a slow server is not asked again, nor another one', async () => {
    const scene = new LifeScene();
    expect((await scene.run([fails('UPSTREAM_TIMEOUT')])).servers).toEqual(['a']);
  });

  test('an answer of which nothing could be passed on has failed before its data', async () => {
    const scene = new LifeScene();
    await scene.run([fails('UPSTREAM_PROTOCOL', { phase: 'data', status: 200, bytesFromServer: 9 })]);
    expect(scene.entry).toMatchObject({ termination: 'PH', status: 502 });
  });

  test('what an earlier attempt had reached is not said of the last one', async () => {
    const scene = new LifeScene({ backend: { retries: 1 } });
    await scene.run([fails('UPSTREAM_CLOSED'), refuses()]);
    expect(scene.entry).toMatchObject({ termination: 'SC', times: { connect: -1, response: -1 } });
    const other = new LifeScene({ servers: [A] });
    const running = await other.begin([
      (attempt) => {
        other.backend.setServers([]);
        return fails('UPSTREAM_CLOSED')(attempt);
      },
    ]);
    expect(running.over).toBe(true);
    expect(other.entry).toMatchObject({
      termination: 'SC',
      times: { connect: -1 },
      error: { code: 'NO_SERVER' },
    });
  });
});

describe('an idle connection that had gone stale', () => {
  const stale = (changes = {}) => fails('UPSTREAM_CLOSED', { reused: true, connectMs: 0, ...changes });

  test('is replaced by a fresh one to the same server, and nobody calls it a retry', async () => {
    const scene = new LifeScene({ backend: { retries: 0 } });
    const { attempts, servers, ends } = await scene.run([stale(), succeeds()]);
    expect(servers).toEqual(['a', 'a']);
    expect(attempts.map(({ fresh }) => fresh)).toEqual([false, true]);
    expect(ends).toEqual(['whole answer']);
    expect(scene.entry).toMatchObject({ retries: 0, redispatched: false, termination: '--' });
    expect(scene.counters).toMatchObject({ wretr: 0, wredis: 0, eresp: 0, lbtot: 1, connect: 1 });
    expectNothingLeft(scene);
  });

  test('if that fails too, it is a failure like any other', async () => {
    const scene = new LifeScene();
    const { servers, attempts } = await scene.run([stale(), refuses(), succeeds()]);
    expect(servers).toEqual(['a', 'a', 'b']);
    expect(attempts.map(({ fresh }) => fresh)).toEqual([false, true, false]);
    expect(scene.entry).toMatchObject({ retries: 1, redispatched: true });
  });

  test('is not replaced for a request that must not be sent twice', async () => {
    const scene = new LifeScene();
    const { attempts, answers } = await scene.run([stale()], POST);
    expect(attempts).toHaveLength(1);
    expect(answers).toMatchObject([{ status: 502 }]);
    // Unless nothing of it was sent.
    const unsent = await scene.run([stale({ nothingSent: true, bytesToServer: 0 }), succeeds()], POST);
    expect(unsent.attempts.map(({ fresh }) => fresh)).toEqual([false, true]);
  });

  test('is not replaced if it had said something', async () => {
    const scene = new LifeScene({ backend: { retries: 0 } });
    expect((await scene.run([stale({ bytesFromServer: 1 })])).attempts).toHaveLength(1);
  });

  test('is not replaced for a client that is gone', async () => {
    const scene = new LifeScene();
    const held = holds();
    const running = await scene.begin([held.play]);
    held.finish((attempt) => {
      attempt.cancel = undefined;
      running.exchange.abort();
      return stale()(attempt);
    });
    await settle();
    expect(running.exchange.attempts).toHaveLength(1);
    expect(running.exchange.ends).toEqual(['destroy']);
    expectNothingLeft(scene);
  });

  test('is not replaced on a server that is gone', async () => {
    const scene = new LifeScene();
    const held = holds();
    const running = await scene.begin([held.play, succeeds()]);
    held.finish((attempt) => {
      attempt.cancel = undefined;
      scene.backend.setServers([B]);
      return stale()(attempt);
    });
    await settle();
    expect(running.exchange.servers).toEqual(['a', 'b']);
    expectNothingLeft(scene);
  });
});

describe('an answer that breaks off', () => {
  test('ends the client’s connection, without a second answer', async () => {
    const scene = new LifeScene();
    const { ends, answers, servers } = await scene.run([breaksOff()]);
    expect(ends).toEqual(['destroy']);
    expect(answers).toEqual([]);
    expect(servers).toEqual(['a']);
    expect(scene.entry).toMatchObject({ termination: 'SD', status: 200, error: { code: 'UPSTREAM_CLOSED' } });
    expect(scene.counters).toMatchObject({ eresp: 1, srvAbrt: 1, hrsp2xx: 1 });
    expect(scene.server('a')).toMatchObject({ eresp: 1, srvAbrt: 1, hrsp2xx: 1, bout: 9 });
    expectNothingLeft(scene);
  });

  test.each<[ErrorCode, string]>([
    ['UPSTREAM_TIMEOUT', 'sD'],
    ['UPSTREAM_PROTOCOL', 'PD'],
    ['SERVER_REMOVED', 'DD'],
    ['STOPPING', 'KD'],
  ])('%s', async (code, termination) => {
    const scene = new LifeScene();
    const { ends } = await scene.run([breaksOff(code)]);
    expect(ends).toEqual(['destroy']);
    expect(scene.entry).toMatchObject({ termination, status: 200 });
  });
});

describe('the queue', () => {
  async function full(options: ConstructorParameters<typeof LifeScene>[0] = {}) {
    const scene = new LifeScene({ servers: [one(A)], ...options });
    const held = holds();
    const first = await scene.begin([held.play]);
    return { scene, held, first };
  }

  test('is waited in, and the wait is told', async () => {
    const { scene, held } = await full();
    const second = await scene.begin();
    const third = await scene.begin();
    await scene.clock.advanceAsync(40);
    expect(second.exchange.attempts).toEqual([]);
    held.finish();
    await settle();
    expect([second.over, third.over]).toEqual([true, true]);
    expect(scene.entries).toMatchObject([
      { queues: { backend: 0 }, times: { queue: 0 } },
      { queues: { backend: 0 }, times: { queue: 40 } },
      { queues: { backend: 1 }, times: { queue: 40 } },
    ]);
    expect(scene.counters).toMatchObject({ qmax: 2, qcur: 0, qtimeMax: 40 });
    expectNothingLeft(scene);
  });

  test('too long is 503', async () => {
    const { scene, held } = await full();
    const ahead = await scene.begin();
    const running = await scene.begin();
    await scene.clock.advanceAsync(5_000);
    expect([ahead.over, running.over]).toEqual([true, true]);
    expect(running.exchange.answers).toMatchObject([{ status: 503 }]);
    expect(scene.entry).toMatchObject({
      ...{ termination: 'sQ', error: { code: 'QUEUE_TIMEOUT' }, queues: { backend: 1 } },
      ...{ server: '<NOSRV>', times: { queue: 5_000, connect: -1 } },
    });
    expect(scene.counters).toMatchObject({ econ: 2 });
    held.finish();
    await settle();
    expectNothingLeft(scene);
  });

  test('that is full is 503 at once', async () => {
    const { scene, held } = await full({ backend: { maxqueue: 1 } });
    await scene.begin();
    const { answers } = await scene.run();
    expect(answers).toMatchObject([{ status: 503 }]);
    expect(scene.entry).toMatchObject({ termination: 'SQ', error: { code: 'QUEUE_FULL' } });
    held.finish();
    await settle();
    expectNothingLeft(scene);
  });

  test('a client that leaves gives its place back', async () => {
    const { scene, held } = await full();
    const gone = await scene.begin();
    const next = await scene.begin();
    gone.exchange.abort();
    await settle();
    expect(gone.exchange.ends).toEqual(['destroy']);
    expect(scene.backend.queued).toBe(1);
    expect(scene.entry).toMatchObject({ termination: 'CQ', status: -1, error: { code: 'CLIENT_ABORTED' } });
    expect(scene.counters).toMatchObject({ cliAbrt: 1, econ: 0, hrspOther: 0 });
    expect(scene.frontend.tally.responses.hrspOther).toBe(0);
    held.finish();
    await settle();
    expect(next.over).toBe(true);
    expect(scene.counters).toMatchObject({ cliAbrt: 1, lbtot: 2 });
    expectNothingLeft(scene);
  });

  test('a client that is out of time is told', async () => {
    const { scene, held } = await full();
    const late = await scene.begin();
    late.exchange.abort('CLIENT_TIMEOUT');
    await settle();
    expect(late.exchange.answers).toMatchObject([{ status: 408, close: true }]);
    expect(scene.entry).toMatchObject({ termination: 'cQ', status: 408 });
    expect(scene.counters).toMatchObject({ cliAbrt: 1 });
    held.finish();
    await settle();
    expectNothingLeft(scene);
  });

  test('a client that left before it had to wait does not wait', async () => {
    const { scene, held } = await full();
    const running = await scene.begin([], undefined, (exchange) => exchange.abort());
    expect(running.over).toBe(true);
    expect(running.exchange.ends).toEqual(['destroy']);
    expect(scene.entry).toMatchObject({ termination: 'CQ' });
    held.finish();
    await settle();
    expectNothingLeft(scene);
  });

  test('a client that leaves while it waits after a failed attempt is counted', async () => {
    const scene = new LifeScene({ servers: [A, one(B)], backend: { balance: { kind: 'leastconn' } } });
    const held = holds();
    await scene.begin([holds().play]);
    const onB = await scene.begin([held.play]);
    expect(onB.exchange.servers).toEqual(['b']);
    // Refused by A, it waits for B, where it has not been yet.
    const running = await scene.begin([refuses()]);
    expect(running.exchange.servers).toEqual(['a']);
    expect(scene.backend.queued).toBe(1);
    running.exchange.abort();
    await settle();
    expect(running.over).toBe(true);
    expect(scene.counters).toMatchObject({ cliAbrt: 1 });
    expect(scene.entry).toMatchObject({ termination: 'CQ', retries: 1 });
    held.finish();
    await settle();
  });

  test('serves those who wait by the servers that come', async () => {
    const { scene, held, first } = await full();
    const waiting = await scene.begin();
    scene.backend.setServers([one(B)]);
    await settle();
    expect(waiting.exchange.servers).toEqual(['b']);
    // The first one's server is gone, and it finds the other as well.
    expect(first.exchange.servers).toEqual(['a', 'b']);
    held.finish();
    await settle();
    expect([first.over, waiting.over]).toEqual([true, true]);
    expectNothingLeft(scene);
  });
});

describe('a client that leaves', () => {
  test('while a server works for it', async () => {
    const scene = new LifeScene();
    const running = await scene.begin([holds().play]);
    running.exchange.abort();
    await settle();
    expect(running.exchange.ends).toEqual(['destroy']);
    expect(running.exchange.attempts).toHaveLength(1);
    expect(scene.entry).toMatchObject({ termination: 'CH', status: -1, server: 'a' });
    expect(scene.counters).toMatchObject({ cliAbrt: 1, eresp: 0 });
    expect(scene.server('a')).toMatchObject({ cliAbrt: 1 });
    expectNothingLeft(scene);
  });

  test('while it waits for another attempt at the same server', async () => {
    const scene = new LifeScene({ servers: [A] });
    const running = await scene.begin([refuses()]);
    running.exchange.abort();
    await settle();
    expect(running.over).toBe(true);
    expect(running.exchange.ends).toEqual(['destroy']);
    expect(scene.entry).toMatchObject({ termination: 'CC', retries: 1 });
    expect(scene.counters).toMatchObject({ cliAbrt: 1 });
    expectNothingLeft(scene);
  });

  test('in the middle of the answer', async () => {
    const scene = new LifeScene();
    const { ends } = await scene.run([breaksOff('CLIENT_ABORTED')]);
    expect(ends).toEqual(['destroy']);
    expect(scene.entry).toMatchObject({ termination: 'CD', status: 200 });
    expect(scene.counters).toMatchObject({ cliAbrt: 1, hrsp2xx: 1 });
  });

  test('is not followed by another attempt, whatever the server has done', async () => {
    const scene = new LifeScene();
    const held = holds();
    const running = await scene.begin([held.play]);
    held.finish((attempt) => {
      // Too late to cancel anything.
      attempt.cancel = undefined;
      running.exchange.abort();
      return refuses()(attempt);
    });
    await settle();
    expect(running.exchange.attempts).toHaveLength(1);
    expect(running.exchange.ends).toEqual(['destroy']);
  });

  test('while it uploads, and is slow', async () => {
    const scene = new LifeScene();
    const { answers } = await scene.run(
      [fails('CLIENT_TIMEOUT', { phase: 'request', replayable: false })],
      POST,
    );
    expect(answers).toMatchObject([{ status: 408, close: true }]);
    expect(scene.entry).toMatchObject({ termination: 'cH', status: 408 });
    expect(scene.counters).toMatchObject({ cliAbrt: 1 });
  });
});

describe('a server that is removed while it works', () => {
  test('another one takes over what may be repeated', async () => {
    const scene = new LifeScene();
    const running = await scene.begin([holds().play, succeeds()]);
    scene.backend.setServers([B]);
    await settle();
    expect(running.exchange.servers).toEqual(['a', 'b']);
    expect(running.exchange.ends).toEqual(['whole answer']);
    expect(scene.entry).toMatchObject({ retries: 1, redispatched: true });
    expectNothingLeft(scene);
  });

  test('what may not is 503', async () => {
    const scene = new LifeScene();
    const running = await scene.begin([holds().play], POST);
    scene.backend.setServers([B]);
    await settle();
    expect(running.exchange.servers).toEqual(['a']);
    expect(running.exchange.answers).toMatchObject([{ status: 503 }]);
    expect(scene.entry).toMatchObject({ termination: 'DH', error: { code: 'SERVER_REMOVED' } });
    expectNothingLeft(scene);
  });

  test('nor is what has no other server to go to', async () => {
    const scene = new LifeScene({ servers: [A] });
    const running = await scene.begin([holds().play]);
    scene.backend.setServers([]);
    await settle();
    expect(running.exchange.answers).toMatchObject([{ status: 503 }]);
    expect(scene.entry).toMatchObject({ error: { code: 'NO_SERVER' }, termination: 'SC', server: 'a' });
    expectNothingLeft(scene);
  });

  test('between the choice of it and the attempt, it is not even tried', async () => {
    const scene = new LifeScene({ servers: [one(A)] });
    const held = holds();
    await scene.begin([held.play]);
    const waiting = await scene.begin();
    scene.backend.setServers([A, B]);
    scene.backend.setServers([B]);
    await settle();
    expect(waiting.exchange.servers).toEqual(['b']);
    expect(waiting.exchange.ends).toEqual(['whole answer']);
    expectNothingLeft(scene);
  });

  test('with its whole backend, it is not gone back to', async () => {
    const scene = new LifeScene();
    const running = await scene.begin([holds().play]);
    scene.backend.cut(new VaneError('SERVER_REMOVED', 'removed'));
    await settle();
    expect(running.exchange.servers).toEqual(['a']);
    expect(running.exchange.answers).toMatchObject([{ status: 503 }]);
    expectNothingLeft(scene);
  });
});

describe('a fault of our own', () => {
  const boom = () => {
    throw new Error('boom');
  };

  test('in a rule ends the request with 500, and is logged', async () => {
    const scene = new LifeScene();
    scene.site.route = boom;
    const { answers, ends } = await scene.run();
    expect(answers).toMatchObject([{ status: 500 }]);
    expect(ends).toEqual(['respond']);
    expect(scene.errors).toMatchObject([{ frontend: 'www', error: expect.stringContaining('boom') }]);
    expect(scene.entry).toMatchObject({ termination: 'IR', status: 500, error: { code: 'INTERNAL' } });
  });

  test('in a lane costs nobody his place on the server', async () => {
    const scene = new LifeScene();
    const { answers, ends } = await scene.run([boom]);
    expect(answers).toMatchObject([{ status: 500 }]);
    expect(ends).toEqual(['respond']);
    expect(scene.errors).toHaveLength(1);
    expect(scene.entry).toMatchObject({ termination: 'IC', server: 'a' });
    expectNothingLeft(scene);
  });

  test('that a lane reports is logged', async () => {
    const scene = new LifeScene();
    expect((await scene.run([fails('INTERNAL')])).answers).toMatchObject([{ status: 500 }]);
    expect(scene.errors).toMatchObject([{ error: expect.stringContaining('failed') }]);
  });

  test.each([
    [1, ['respond'], 500],
    [2, ['destroy'], -1],
  ])('in the answer, %i times, ends it all the same: %j', async (times, ends, status) => {
    const scene = new LifeScene({ frontend: { httpRequest: [parseRule('deny')] } });
    const { exchange, over } = await scene.begin([], undefined, (made) => {
      made.unanswerable = times;
    });
    expect(over).toBe(true);
    expect(exchange.ends).toEqual(ends);
    expect(scene.errors).toMatchObject([{ error: expect.stringContaining('Invalid character') }]);
    expect(scene.entry).toMatchObject({ status, error: { code: 'INTERNAL' } });
  });

  test('in the log is logged, and ends nothing else', async () => {
    const scene = new LifeScene();
    scene.onAccess = boom;
    const { ends } = await scene.run();
    expect(ends).toEqual(['whole answer']);
    expect(scene.errors).toMatchObject([{ error: 'boom' }]);
    expectNothingLeft(scene);
  });
});
