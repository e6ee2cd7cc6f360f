import { describe, expect, test } from 'vitest';
import { SharedQueries } from '../../../src/dns/shared-queries.ts';
import { settle } from '../../helpers/fake-clock.ts';

/** Work that ends as the test says. */
function setUp() {
  const shared = new SharedQueries<string>();
  const started: {
    key: string;
    signal: AbortSignal;
    end: (text: string) => void;
    fail: (e: Error) => void;
  }[] = [];
  const run = (key: string, signal = new AbortController().signal) =>
    shared.run(key, signal, (inner) => {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      inner.addEventListener('abort', () => reject(inner.reason), { once: true });
      started.push({ key, signal: inner, end: resolve, fail: reject });
      return promise;
    });
  return { shared, started, run };
}

describe('who wants the same at the same time', () => {
  test('shares the work and how it ends; who comes later starts anew', async () => {
    const { run, started } = setUp();
    const all = [run('a'), run('a'), run('b')];
    expect(started.map(({ key }) => key)).toEqual(['a', 'b']);
    started[0]?.end('one');
    started[1]?.end('two');
    expect(await Promise.all(all)).toEqual(['one', 'one', 'two']);
    const again = run('a');
    started[2]?.end('three');
    expect(await again).toBe('three');
  });

  test('shares failure too', async () => {
    const { run, started } = setUp();
    const all = Promise.allSettled([run('a'), run('a')]);
    started[0]?.fail(new Error('no'));
    expect(await all).toMatchObject([{ reason: { message: 'no' } }, { reason: { message: 'no' } }]);
  });

  test('may give up alone: the others still have it, and the last one ends it', async () => {
    const { run, started } = setUp();
    const [first, second] = [new AbortController(), new AbortController()];
    const one = run('a', first.signal);
    const two = run('a', second.signal);
    first.abort(new Error('enough'));
    await expect(one).rejects.toThrow('enough');
    expect(started[0]?.signal.aborted).toBe(false);
    second.abort(new Error('enough too'));
    await expect(two).rejects.toThrow('enough too');
    await settle();
    expect(started[0]?.signal.aborted).toBe(true);
    const three = run('a');
    expect(started).toHaveLength(2);
    started[1]?.end('three');
    expect(await three).toBe('three');
  });

  test('is told when all is ended', async () => {
    const { run, shared } = setUp();
    const all = Promise.allSettled([run('a'), run('b')]);
    shared.abortAll(new Error('closed'));
    expect(await all).toMatchObject([{ reason: { message: 'closed' } }, { reason: { message: 'closed' } }]);
  });
});
