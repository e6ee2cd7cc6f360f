import { describe, expect, test } from 'vitest';
import { DEFAULT_OUTLIER, parseRetryOn } from '../../../../src/config/retry-lines.ts';
import type { RetryOn } from '../../../../src/config/runtime/backends.ts';
import type { Attempt, RequestHead } from '../../../../src/proxy/lanes/lane.ts';
import { settle } from '../../../helpers/fake-clock.ts';
import { requestHead, serverSnapshot } from '../fixtures.ts';
import { LifeScene } from './life-scene.ts';
import { answers, fails, holds, type Play, refuses } from './scripted-exchange.ts';

function on(text: string): RetryOn {
  const result = parseRetryOn(text);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

const PUT = requestHead('PUT', '/', undefined, { bodyless: false });
const POST = requestHead('POST', '/', undefined, { bodyless: false });
const LOST = fails('UPSTREAM_CLOSED');

describe('retry-on', () => {
  test.each([
    ['empty-response', LOST, 2],
    ['junk-response', LOST, 1],
    ['junk-response', fails('UPSTREAM_PROTOCOL', { bytesFromServer: 9 }), 2],
    ['empty-response', fails('UPSTREAM_PROTOCOL', { bytesFromServer: 9 }), 1],
    ['response-timeout', fails('UPSTREAM_TIMEOUT'), 2],
    ['empty-response', fails('UPSTREAM_TIMEOUT'), 1],
    ['conn-failure', refuses(), 2],
    ['none', refuses(), 1],
    ['503', refuses(), 1],
    ['503', answers(503), 2],
    ['503', answers(500), 1],
    ['all-retryable-errors', answers(504), 2],
  ] as const)('%s: an idempotent request is tried again, or not', async (text, play, attempts) => {
    const scene = new LifeScene({ backend: { retryOn: on(text) } });
    const { servers } = await scene.run([play], PUT);
    expect(servers).toHaveLength(attempts);
    expect(new Set(servers).size).toBe(attempts);
  });

  test.each([LOST, fails('UPSTREAM_TIMEOUT'), answers(503), fails('UPSTREAM_PROTOCOL')])(
    'a POST that was sent never is (%#)',
    async (play) => {
      const scene = new LifeScene({ backend: { retryOn: on('all-retryable-errors') } });
      expect((await scene.run([play], POST)).attempts).toHaveLength(1);
    },
  );

  test('a POST of which nothing was sent is', async () => {
    const scene = new LifeScene({ backend: { retryOn: on('conn-failure') } });
    expect((await scene.run([refuses()], POST)).attempts).toHaveLength(2);
  });

  test('the last answer is passed on, whatever it is', async () => {
    const scene = new LifeScene({ backend: { retries: 1, retryOn: on('503') } });
    const exchange = await scene.run([answers(503), answers(503)]);
    expect(exchange.ends).toEqual(['whole answer']);
    expect(scene.entry).toMatchObject({ status: 503, retries: 1, termination: '--' });
  });

  test('an answer is passed on where the request cannot be sent again', async () => {
    const scene = new LifeScene({ backend: { retryOn: on('503') } });
    expect((await scene.run([answers(503, false)], PUT)).attempts).toHaveLength(1);
    expect(scene.entry.status).toBe(503);
  });

  test('bodies are kept only where they could be sent again', async () => {
    const keeps = async (retries: number, retryOn: RetryOn | undefined, head: RequestHead) => {
      const scene = new LifeScene({ backend: { retries, retryOn, bufsize: 16_384 } });
      return (await scene.run([], head)).attempts[0]?.keepBody;
    };
    expect(await keeps(3, on('empty-response'), PUT)).toBe(16_384);
    expect(await keeps(0, on('empty-response'), PUT)).toBe(0);
    expect(await keeps(3, undefined, PUT)).toBe(0);
    expect(await keeps(3, on('empty-response'), POST)).toBe(0);
  });
});

describe('the budget for retries', () => {
  test('ends them, and is told of', async () => {
    const scene = new LifeScene({ backend: { retryBudget: { percent: 0, perSecond: 1 } } });
    for (let i = 0; i < 12; i++) await scene.run([refuses()]);
    expect(scene.counters).toMatchObject({ wredis: 10, retriesRefused: 2, econ: 2 });
    expect(scene.entry).toMatchObject({ status: 503, retries: 0, termination: 'SC' });
  });

  test('an answer that may not be bettered is passed on', async () => {
    const scene = new LifeScene({
      backend: { retryBudget: { percent: 0, perSecond: 0 }, retryOn: on('503') },
    });
    await scene.run([answers(503)]);
    expect(scene.entry.status).toBe(503);
    expect(scene.counters.retriesRefused).toBe(1);
  });

  test('one retry costs one, whatever it is for', async () => {
    const scene = new LifeScene({
      backend: { retryBudget: { percent: 0, perSecond: 1 }, retryOn: on('conn-failure 503') },
    });
    for (let i = 0; i < 10; i++) await scene.run([i % 2 ? answers(503) : refuses()]);
    expect(scene.counters.retriesRefused).toBe(0);
  });

  test('what Vane ends itself costs nothing', async () => {
    const scene = new LifeScene({ backend: { retryBudget: { percent: 0, perSecond: 0 } } });
    const gone: Play = () =>
      ({
        ...fails('SERVER_REMOVED')({} as Attempt),
        nothingSent: true,
      }) as Awaited<ReturnType<Play>>;
    expect((await scene.run([gone])).attempts).toHaveLength(2);
  });
});

describe('servers in trouble', () => {
  const servers = ['a', 'b', 'c'].map((name) => serverSnapshot(name));
  /** `a` is dead; the others answer. */
  const dead: Play = (attempt) => (attempt.server.name === 'a' ? refuses()(attempt) : answers(200)(attempt));

  async function visits(scene: LifeScene, requests: number, play: Play): Promise<number> {
    let count = 0;
    for (let i = 0; i < requests; i++) {
      const exchange = await scene.run([play, play, play]);
      expect(exchange.ends).toEqual(['whole answer']);
      count += exchange.servers.filter((name) => name === 'a').length;
    }
    return count;
  }

  test('one that cannot be connected to costs one retry, and one more at each trial', async () => {
    const scene = new LifeScene({ servers, backend: { outlier: DEFAULT_OUTLIER } });
    expect(await visits(scene, 30, dead)).toBe(1);
    scene.clock.advance(1_000);
    expect(await visits(scene, 30, dead)).toBe(1);
    scene.clock.advance(1_000);
    expect(await visits(scene, 30, dead)).toBe(0);
    expect(scene.counters.ejections).toBe(1);
    expect(scene.server('a').ejected).toBe(1);
    scene.clock.advance(1_000);
    expect(await visits(scene, 30, answers(200))).toBeGreaterThan(5);
    expect(scene.server('a').ejected).toBe(0);
  });

  test('with outlier off it gets its share all the same', async () => {
    const scene = new LifeScene({ servers });
    expect(await visits(scene, 30, dead)).toBeGreaterThan(9);
  });

  test('when all are out, they are used', async () => {
    const scene = new LifeScene({ servers, backend: { outlier: DEFAULT_OUTLIER } });
    const { exchange } = await scene.begin([refuses(), refuses(), refuses()]);
    expect(new Set(exchange.servers).size).toBe(3);
    // All have failed it: only now is one asked again, after a moment.
    scene.clock.advance(1_000);
    await settle();
    expect(exchange.servers).toHaveLength(4);
    expect(exchange.ends).toEqual(['whole answer']);
  });

  test('one that answers nothing gets no more than one at a time', async () => {
    const scene = new LifeScene({ servers, backend: { outlier: DEFAULT_OUTLIER } });
    for (let i = 0; i < 30; i++) await scene.run([answers(200)]);
    const stuck: ReturnType<typeof holds>[] = [];
    const hangs: Play = (attempt) => {
      if (attempt.server.name !== 'a') return answers(200)(attempt);
      const held = holds();
      stuck.push(held);
      return held.play(attempt);
    };
    const ask = async (times: number) => {
      for (let i = 0; i < times; i++) await scene.begin([hangs]);
      return stuck.length;
    };
    expect(await ask(6)).toBeGreaterThan(0);
    scene.clock.advance(1_101);
    // It may be this process that was held up: looked at twice.
    const second = await ask(1);
    expect(scene.server('a').ejected).toBe(0);
    scene.clock.advance(101);
    expect(await ask(30)).toBe(second);
    expect(scene.server('a').ejected).toBe(1);
    // The trial, and nothing besides while that is under way.
    scene.clock.advance(1_000);
    expect(await ask(30)).toBe(second + 1);
    scene.clock.advance(60_000);
    expect(await ask(30)).toBe(second + 1);
    stuck.at(-1)?.finish();
    await scene.begin([answers(200)]);
    expect(scene.server('a').ejected).toBe(0);
    for (const held of stuck) held.finish();
  });

  test('a client that leaves is no error of a server', async () => {
    const scene = new LifeScene({ servers, backend: { outlier: { errors: 1, time: 1_000, max: 100 } } });
    const { exchange } = await scene.begin([holds().play]);
    exchange.abort();
    await scene.begin([]);
    expect(scene.counters.ejections).toBe(0);
  });

  test('a queue that is full is no error of a server, and the answer says when to come back', async () => {
    const scene = new LifeScene({
      servers: [serverSnapshot('a', { maxconn: 1 }), serverSnapshot('b', { maxconn: 1 })],
      backend: { outlier: { errors: 1, time: 1_000, max: 100 }, maxqueue: 1 },
    });
    const held = [holds(), holds()];
    for (const { play } of held) await scene.begin([play]);
    await scene.begin([]);
    const refused = await scene.run([]);
    expect(refused.answers).toMatchObject([{ status: 503, close: false }]);
    expect(refused.answers[0]?.headers.join()).toContain('retry-after,5');
    expect(scene.counters.ejections).toBe(0);
  });

  test('errors in a row send one away', async () => {
    const scene = new LifeScene({ servers, backend: { outlier: { errors: 2, time: 1_000, max: 10 } } });
    const bad: Play = (attempt) => answers(attempt.server.name === 'a' ? 500 : 200)(attempt);
    expect(await visits(scene, 30, bad)).toBe(2);
    expect(scene.counters.ejections).toBe(1);
  });
});

test('a request that would wait too long at the present pace is refused at once', async () => {
  const scene = new LifeScene({
    servers: [serverSnapshot('a', { maxconn: 1 })],
    backend: { timeout: { connect: 1, server: 1, queue: 1_000, tunnel: 1, check: undefined } },
  });
  const queue: { finish(): void }[] = [];
  const join = async () => {
    const held = holds();
    queue.push(held);
    return scene.begin([held.play]);
  };
  for (let i = 0; i < 8; i++) await join();
  // Each takes 200 ms.
  for (let i = 0; i < 5; i++) {
    scene.clock.advance(100);
    queue.shift()?.finish();
    await scene.begin([answers(200)]).then(({ exchange }) => exchange.abort());
  }
  const { length } = queue;
  expect(length).toBe(3);
  for (let i = 0; i < 6; i++) await join();
  scene.clock.advance(1);
  const late: number[] = [];
  for (let i = 0; i < 6; i++) {
    const { exchange } = await scene.begin([]);
    late.push(...exchange.answers.map(({ status }) => status));
  }
  expect(late).toContain(503);
  expect(scene.counters.refusedEarly).toBeGreaterThan(0);
});
