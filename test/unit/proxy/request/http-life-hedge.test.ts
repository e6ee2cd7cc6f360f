import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRetryOn } from '../../../../src/config/retry-lines.ts';
import type { RequestHead } from '../../../../src/proxy/lanes/lane.ts';
import { settle } from '../../../helpers/fake-clock.ts';
import { requestHead, serverSnapshot } from '../fixtures.ts';
import { LifeScene, type SceneOptions } from './life-scene.ts';
import { answers, breaksOff, fails, holds, type Play, refuses, succeeds } from './scripted-exchange.ts';

const HEDGE = { quantile: 0.95, least: 20 };
/** What 95 % of the answers of a scene are faster than: less than this, more than nine tenths of it. */
const USUAL_MS = 100;
const ABORTED = 'CLIENT_ABORTED' as const;

/** Two servers whose answers have usually taken a while; hedges are sent after `delay`. */
function setUp({ backend, ...rest }: SceneOptions = {}): { scene: LifeScene; delay: number } {
  const scene = new LifeScene({ ...rest, backend: { hedge: HEDGE, ...backend } });
  for (let i = 0; i < 200; i++) scene.backend.hedges.answered(USUAL_MS / 1.1, scene.clock.now());
  return { scene, delay: USUAL_MS };
}

function expectNothingLeft(scene: LifeScene): void {
  expect(scene.backend.active).toBe(0);
  expect(scene.counters.scur).toBe(0);
  expect(scene.clock.pending).toBe(0);
}

describe('a request that is slow to be answered', () => {
  test('goes to another server as well, and the first answer counts', async () => {
    const { scene, delay } = setUp();
    const { exchange } = await scene.begin([holds().play, succeeds()]);
    await scene.clock.advanceAsync(delay * 0.9 - 1);
    expect(exchange.servers).toEqual(['a']);
    await scene.clock.advanceAsync(delay);
    expect(exchange.servers).toEqual(['a', 'b']);
    expect(exchange.ends).toEqual(['whole answer']);
    expect(scene.entry).toMatchObject({
      ...{ server: 'b', status: 200, hedge: 'won', retries: 0, redispatched: false, termination: '--' },
    });
    expect(scene.counters).toMatchObject({
      ...{ hedges: 1, hedgesWon: 1, wretr: 0, wredis: 0, econ: 0, eresp: 0, cliAbrt: 0, reqTot: 1, stot: 1 },
    });
    // It counts for nothing that the slow one was left.
    expect(scene.server('a')).toMatchObject({
      eresp: 0,
      econ: 0,
      cliAbrt: 0,
      srvAbrt: 0,
      reqTot: 0,
      ejected: 0,
    });
    expectNothingLeft(scene);
  });

  test('may still be answered by the first', async () => {
    const { scene, delay } = setUp();
    const first = holds();
    const { exchange } = await scene.begin([first.play, holds().play]);
    await scene.clock.advanceAsync(delay);
    first.finish();
    await settle();
    expect(exchange.ends).toEqual(['whole answer']);
    expect(scene.entry).toMatchObject({ server: 'a', hedge: 'lost', retries: 0 });
    expect(scene.counters).toMatchObject({ hedges: 1, hedgesWon: 0, reqTot: 1, eresp: 0 });
    expectNothingLeft(scene);
  });

  test('is answered by the second if the first fails meanwhile, and the other way round', async () => {
    const { scene, delay } = setUp();
    for (const failing of [0, 1]) {
      const attempts = [holds(), holds()];
      const { exchange } = await scene.begin(attempts.map(({ play }) => play));
      await scene.clock.advanceAsync(delay);
      attempts[failing]?.finish(fails('UPSTREAM_CLOSED'));
      await settle();
      expect(exchange.ends).toEqual([]);
      attempts[1 - failing]?.finish();
      await settle();
      expect(exchange.ends).toEqual(['whole answer']);
      expect(exchange.attempts).toHaveLength(2);
      expect(scene.entry).toMatchObject({ hedge: failing === 0 ? 'won' : 'lost', retries: 0 });
    }
    expect(scene.counters).toMatchObject({ hedges: 2, hedgesWon: 1, wredis: 0, eresp: 0 });
    expectNothingLeft(scene);
  });

  test('is tried again as any other once both have failed, on a server that has not', async () => {
    const { scene, delay } = setUp({ servers: ['a', 'b', 'c'].map((name) => serverSnapshot(name)) });
    const { exchange } = await scene.begin([holds().play, refuses(), succeeds()]);
    await scene.clock.advanceAsync(delay);
    expect(exchange.servers).toHaveLength(2);
    exchange.attempts[0]?.cancel?.(await failure('UPSTREAM_CLOSED'));
    await settle();
    expect(new Set(exchange.servers).size).toBe(3);
    expect(scene.entry).toMatchObject({ status: 200, hedge: 'lost', retries: 1, redispatched: true });
    expect(scene.counters).toMatchObject({ hedges: 1, wredis: 1, econ: 0 });
    expectNothingLeft(scene);
  });

  test('waits for the other where retry-on does not want the answer, and that costs nothing', async () => {
    const on = parseRetryOn('503');
    if (!on.ok) throw new Error(on.message);
    const { scene, delay } = setUp({ backend: { retryOn: on.value, retries: 0 } });
    const first = holds();
    const { exchange } = await scene.begin([first.play, answers(503)]);
    await scene.clock.advanceAsync(delay);
    expect(exchange.ends).toEqual([]);
    first.finish(answers(503));
    await settle();
    // The last one is passed on, whatever it is.
    expect(scene.entry).toMatchObject({ status: 503, server: 'a', hedge: 'lost' });
    expectNothingLeft(scene);
  });

  test('goes on over a new connection where an idle one was stale, hedged or not', async () => {
    const { scene, delay } = setUp();
    const stale = fails('UPSTREAM_CLOSED', { reused: true, connectMs: 0 });
    const first = holds();
    const { exchange } = await scene.begin([first.play, holds().play, succeeds()]);
    await scene.clock.advanceAsync(delay);
    first.finish(stale);
    await settle();
    expect(exchange.servers).toEqual(['a', 'b', 'a']);
    expect(exchange.ends).toEqual(['whole answer']);
    expect(scene.entry).toMatchObject({ server: 'a', hedge: 'lost' });
    expectNothingLeft(scene);
  });

  test('whose client leaves ends at both, and is told of once', async () => {
    const { scene, delay } = setUp();
    const { exchange } = await scene.begin([holds().play, holds().play]);
    await scene.clock.advanceAsync(delay);
    exchange.abort(ABORTED);
    await settle();
    expect(exchange.ends).toEqual(['destroy']);
    expect(scene.entry).toMatchObject({ server: 'a', termination: 'CH', hedge: 'lost' });
    expect(scene.counters).toMatchObject({ cliAbrt: 1, stot: 1 });
    expectNothingLeft(scene);
  });
});

async function failure(code: 'UPSTREAM_CLOSED') {
  const { error } = await fails(code)({} as Parameters<Play>[0]);
  if (!error) throw new Error('no failure');
  return error;
}

describe('a hedge is not sent', () => {
  const POST = requestHead('POST', '/', undefined, { bodyless: false });
  const never: readonly (readonly [string, SceneOptions, RequestHead | undefined])[] = [
    ['where none are asked for', { backend: { hedge: undefined } }, undefined],
    ['of a POST', {}, POST],
    ['of a POST without a body', {}, requestHead('POST')],
    ['of a GET with a body', {}, requestHead('GET', '/', undefined, { bodyless: false })],
    ['of an upgrade', {}, requestHead('GET', '/', undefined, { upgrade: true })],
    ['of DELETE, which is idempotent and not safe', {}, requestHead('DELETE')],
    ['where there is one server', { servers: [serverSnapshot('a')] }, undefined],
    [
      'where the other is full',
      { servers: [serverSnapshot('a'), serverSnapshot('b', { maxconn: 1 })] },
      undefined,
    ],
    [
      'where the other takes no work',
      { servers: [serverSnapshot('a'), serverSnapshot('b', { admission: 'draining' })] },
      undefined,
    ],
    ['where the backend has all that it may have', { backend: { maxConnections: 3 } }, undefined],
    ['out of an empty budget', { backend: { retryBudget: { percent: 0, perSecond: 0 } } }, undefined],
  ];
  test.each(never)('%s', async (_when, options, head) => {
    const { scene } = setUp(options);
    // Somebody else is at the other server.
    const other = await scene.begin([holds().play], POST);
    const busy = other.exchange.servers[0] === 'a' ? await scene.begin([holds().play], POST) : other;
    const first = await scene.begin([holds().play], head);
    await scene.clock.advanceAsync(10_000);
    expect(first.exchange.attempts).toHaveLength(1);
    expect(scene.counters.hedges).toBe(0);
    for (const { exchange } of new Set([other, busy, first])) exchange.abort();
    await settle();
    expectNothingLeft(scene);
  });

  test('before it is known what is slow', async () => {
    const scene = new LifeScene({ backend: { hedge: HEDGE } });
    for (let i = 0; i < 99; i++) await scene.run();
    const { exchange } = await scene.begin([holds().play]);
    await scene.clock.advanceAsync(10_000);
    expect(exchange.attempts).toHaveLength(1);
    // With the next answer it is; where all are quick, `min` holds.
    await scene.run();
    const slow = await scene.begin([holds().play, succeeds()]);
    await scene.clock.advanceAsync(HEDGE.least - 1);
    expect(slow.exchange.attempts).toHaveLength(1);
    await scene.clock.advanceAsync(1);
    expect(slow.over).toBe(true);
  });

  test('of a client that belongs to a server', async () => {
    const stickiness = {
      table: { type: 'ip', length: 16, size: 10, expire: 0, nopurge: false, serverKey: 'name' },
      rules: [{ match: true, store: true, fetch: { kind: 'src' }, condition: undefined }],
      cookie: undefined,
      ignore: [],
    } as const;
    const { scene, delay } = setUp({ backend: { stickiness } });
    const answersFor: Play = (attempt) => {
      attempt.edit?.([]);
      return succeeds()(attempt);
    };
    const first = await scene.begin([holds().play, answersFor]);
    await scene.clock.advanceAsync(delay);
    expect(first.exchange.servers).toEqual(['a', 'b']);
    // It is with the server that has answered now.
    const { exchange } = await scene.begin([holds().play]);
    await scene.clock.advanceAsync(10_000);
    expect(exchange.servers).toEqual(['b']);
    exchange.abort();
  });
});

describe('a backend that is slow as a whole', () => {
  const retryBudget = { percent: 20, perSecond: 0 };

  test('has no more to do than half of the budget for retries allows', async () => {
    const { scene, delay } = setUp({ backend: { retryBudget } });
    const running = [];
    for (let i = 0; i < 100; i++) running.push(await scene.begin([holds().play, holds().play]));
    await scene.clock.advanceAsync(delay);
    // Not made, they are no retries that were refused.
    expect(scene.counters).toMatchObject({ hedges: 10, retriesRefused: 0 });
    for (const { exchange } of running) exchange.abort();
    await settle();
    // What fails has the other half.
    for (let i = 0; i < 20; i++) await scene.run([refuses()]);
    expect(scene.counters).toMatchObject({ wredis: 14, retriesRefused: 6 });
    expectNothingLeft(scene);
  });

  test('is not hedged once that is what its answers take', async () => {
    const { scene, delay } = setUp({ backend: { retryBudget } });
    const slow: Play = async (attempt) => {
      const { promise, resolve } = Promise.withResolvers<Play>();
      const cancel = scene.clock.after(delay * 3, () => resolve(succeeds()));
      attempt.cancel = ({ code }) => resolve(fails(code));
      const play = await promise;
      cancel();
      return await play(attempt);
    };
    for (let i = 0; i < 50; i++) {
      await scene.begin([slow, slow]);
      await scene.clock.advanceAsync(10);
    }
    const { hedges } = scene.counters;
    expect(hedges).toBeGreaterThan(0);
    for (let i = 0; i < 200; i++) {
      await scene.begin([slow, slow]);
      await scene.clock.advanceAsync(10);
    }
    await scene.clock.advanceAsync(1_000);
    expect(scene.counters).toMatchObject({ hedges, hedgesWon: 0 });
    expectNothingLeft(scene);
  });
});

test('whatever two attempts meet, the request ends once and leaves nothing behind', async () => {
  const ending = fc.constantFrom<Play>(
    succeeds(),
    fails('UPSTREAM_CLOSED'),
    fails('UPSTREAM_TIMEOUT'),
    fails('UPSTREAM_PROTOCOL'),
    refuses(),
    breaksOff(),
  );
  const meeting = fc.record({ ending, takes: fc.nat({ max: 400 }) });
  const request = fc.record({
    meetings: fc.array(meeting, { minLength: 2, maxLength: 6 }),
    leaves: fc.option(fc.nat({ max: 500 }), { nil: undefined, freq: 3 }),
    /** A server that is removed, after so long. */
    removed: fc.option(fc.nat({ max: 500 }), { nil: undefined, freq: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 3 }),
      fc.nat({ max: 2 }),
      async (all, retries) => {
        const { scene } = setUp({ backend: { retries } });
        const begun = [];
        for (const { meetings, leaves, removed } of all) {
          let underWay = 0;
          const plays = meetings.map(
            ({ ending: end, takes }): Play =>
              async (attempt) => {
                underWay++;
                expect(underWay).toBeLessThanOrEqual(2);
                const { promise, resolve } = Promise.withResolvers<Play>();
                const cancel = scene.clock.after(takes, () => resolve(end));
                attempt.cancel = ({ code }) => resolve(fails(code));
                const play = await promise;
                cancel();
                underWay--;
                return await play(attempt);
              },
          );
          const running = await scene.begin(plays);
          begun.push(running);
          if (leaves !== undefined) {
            scene.clock.after(leaves, () => {
              if (!running.over && !running.exchange.aborted) running.exchange.abort();
            });
          }
          if (removed !== undefined) {
            scene.clock.after(removed, () =>
              scene.backend.setServers([serverSnapshot('b'), serverSnapshot('c')]),
            );
          }
        }
        await scene.clock.advanceAsync(60_000);
        for (const { over, exchange } of begun) {
          expect(over).toBe(true);
          expect(exchange.ends).toHaveLength(1);
        }
        expectNothingLeft(scene);
        expect(scene.entries).toHaveLength(all.length);
        const hedged = scene.entries.filter((entry) => entry.mode === 'http' && entry.hedge !== undefined);
        const won = hedged.filter((entry) => entry.mode === 'http' && entry.hedge === 'won');
        expect(scene.counters).toMatchObject({ hedges: hedged.length, hedgesWon: won.length });
        const { wretr, wredis } = scene.counters;
        expect(wretr + wredis).toBe(scene.entries.reduce((sum, { retries: count }) => sum + count, 0));
      },
    ),
    { numRuns: 150 },
  );
}, 60_000);
