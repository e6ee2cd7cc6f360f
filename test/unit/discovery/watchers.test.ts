import { describe, expect, test } from 'vitest';
import type { DiscoveredSet } from '../../../src/discovery/discovered-set.ts';
import type { Resolver } from '../../../src/discovery/resolution.ts';
import { type WatchedSource, Watchers } from '../../../src/discovery/watchers.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { recordedLog } from '../../helpers/registry.ts';
import { empty, failed, good, ScriptedResolver } from './scripted-resolver.ts';

const web: WatchedSource = {
  domain: 'web.example.com',
  port: 80,
  resolvers: 'corp',
  interval: 1000,
  onEmpty: 'drain',
};

function setUp() {
  const clock = new FakeClock();
  const corp = new ScriptedResolver('corp');
  const { log, lines } = recordedLog();
  const watchers = new Watchers({ resolvers: byId(corp), clock, random: () => 0.5, log });
  /** A listener that writes down what it hears. */
  const listener = () => {
    const told: string[] = [];
    const onSet = (set: DiscoveredSet) =>
      told.push(set.endpoints.map((one) => one.address.slice(7)).join(' '));
    return { told, onSet };
  };
  const subscribe = (source: Partial<WatchedSource> = {}) => {
    const { told, onSet } = listener();
    return Object.assign(watchers.subscribe({ ...web, ...source }, onSet), { told });
  };
  return { clock, corp, watchers, subscribe, lines };
}

function byId(...resolvers: Resolver[]): ReadonlyMap<string, Resolver> {
  return new Map(resolvers.map((resolver) => [resolver.id, resolver]));
}

describe('sharing', () => {
  test('those who watch the same name the same way share one look-up', async () => {
    const { clock, corp, subscribe, watchers } = setUp();
    const [a, b] = [subscribe(), subscribe()];
    corp.answer(good(1));
    await clock.advanceAsync(1000);
    expect(corp.asked).toHaveLength(2);
    expect([a.told, b.told]).toEqual([['1'], ['1']]);
    expect(a.state).toBe(b.state);
    watchers.stop();
  });

  test.each<[string, Partial<WatchedSource>]>([
    ['name', { domain: 'api.example.com' }],
    ['port', { port: 81 }],
    ['port', { port: undefined }],
    ['policy for empty answers', { onEmpty: 'keep' }],
  ])('another %s is looked up on its own', (_, source) => {
    const { corp, subscribe, watchers } = setUp();
    subscribe();
    subscribe(source);
    expect(corp.asked).toHaveLength(2);
    watchers.stop();
  });

  test('who comes late hears the present set before subscribe returns', async () => {
    const { corp, subscribe, watchers } = setUp();
    subscribe();
    corp.answer(good(1));
    await settle();
    const late = subscribe();
    expect(late.told).toEqual(['1']);
    expect(corp.asked).toHaveLength(1);
    watchers.stop();
  });

  test('a listener that throws keeps nobody else from hearing, and is logged', async () => {
    const { corp, subscribe, watchers, lines } = setUp();
    watchers.subscribe(web, () => {
      throw new Error('broken listener');
    });
    const other = subscribe();
    corp.answer(good(1));
    await settle();
    expect(other.told).toEqual(['1']);
    expect(lines).toMatchObject([{ level: 'error', fields: { error: 'broken listener' } }]);
    watchers.stop();
  });

  test('events reach who asked for them', async () => {
    const { corp, watchers } = setUp();
    const kinds: string[] = [];
    watchers.subscribe(
      web,
      () => {},
      ({ kind }) => kinds.push(kind),
    );
    corp.answer(failed());
    await settle();
    expect(kinds).toEqual(['failing']);
    watchers.stop();
  });

  test('lookNow asks for all', async () => {
    const { clock, corp, subscribe, watchers } = setUp();
    const [a, b] = [subscribe(), subscribe()];
    corp.answer(good(1));
    await clock.advanceAsync(500);
    a.lookNow();
    corp.answer(good(2));
    await settle();
    expect(b.told).toEqual(['1', '2']);
    a.unsubscribe();
    await clock.advanceAsync(500);
    a.lookNow();
    expect(corp.asked).toHaveLength(2);
    watchers.stop();
  });
});

describe('leaving', () => {
  test('the last who leaves stops the look-ups; nothing is left behind', async () => {
    const { clock, corp, subscribe } = setUp();
    const [a, b] = [subscribe(), subscribe()];
    corp.answer(good(1));
    await settle();
    a.unsubscribe();
    a.unsubscribe();
    await clock.advanceAsync(1000);
    corp.answer(good(2));
    await settle();
    expect([a.told, b.told]).toEqual([['1'], ['1', '2']]);
    b.unsubscribe();
    expect([clock.pending, corp.watchers]).toEqual([0, 0]);
    const again = subscribe();
    expect(again.told).toEqual([]);
    again.unsubscribe();
    expect(clock.pending).toBe(0);
  });

  test('of another while both are being told: it hears nothing more', async () => {
    const { corp, subscribe, watchers } = setUp();
    watchers.subscribe(web, () => second.unsubscribe());
    const second = subscribe();
    corp.answer(good(1));
    await settle();
    expect(second.told).toEqual([]);
    watchers.stop();
  });

  test('twice does nothing to who subscribed in between', async () => {
    const { clock, corp, subscribe, watchers } = setUp();
    const before = subscribe();
    before.unsubscribe();
    const after = subscribe();
    before.unsubscribe();
    corp.answer(good(1));
    await settle();
    expect(after.told).toEqual(['1']);
    expect(subscribe().told).toEqual(['1']);
    watchers.stop();
    expect(clock.pending).toBe(0);
  });

  test('stop while listeners are being told: the others hear nothing more', async () => {
    const { corp, subscribe, watchers } = setUp();
    watchers.subscribe(web, () => watchers.stop());
    const second = subscribe();
    corp.answer(good(1));
    await settle();
    expect(second.told).toEqual([]);
  });

  test('stop ends everything', async () => {
    const { clock, corp, subscribe, watchers } = setUp();
    const subscriptions = [subscribe(), subscribe({ port: 81 }), subscribe({ resolvers: 'nobody' })];
    watchers.stop();
    watchers.stop();
    for (const { answer } of corp.asked) answer(good(1));
    await settle();
    expect(subscriptions.flatMap(({ told }) => told)).toEqual([]);
    expect([clock.pending, corp.watchers]).toEqual([0, 0]);
    for (const subscription of subscriptions) {
      subscription.lookNow();
      subscription.unsubscribe();
    }
    expect(clock.pending).toBe(0);
    expect(() => subscribe()).toThrow(expect.objectContaining({ code: 'STOPPING' }));
  });
});

describe('reloads', () => {
  test('another interval restarts nothing and loses nothing', async () => {
    const { clock, corp, subscribe, watchers } = setUp();
    const before = subscribe();
    corp.answer(good(1));
    await clock.advanceAsync(100);
    const after = subscribe({ interval: 5000 });
    before.unsubscribe();
    expect(after.told).toEqual(['1']);
    expect(after.state.results).toEqual({ ok: 1, empty: 0, failed: 0 });
    await clock.advanceAsync(4899);
    expect(corp.asked).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(corp.asked).toHaveLength(2);
    watchers.stop();
  });

  test('of several intervals the shortest counts', async () => {
    const { clock, corp, subscribe, watchers } = setUp();
    corp.script = () => good(1);
    subscribe({ interval: 10_000 });
    const often = subscribe({ interval: 1000 });
    await clock.advanceAsync(2000);
    expect(corp.asked).toHaveLength(3);
    often.unsubscribe();
    await clock.advanceAsync(9999);
    expect(corp.asked).toHaveLength(3);
    await clock.advanceAsync(1);
    expect(corp.asked).toHaveLength(4);
    watchers.stop();
  });

  test('another policy for empty answers starts from what is known, even while nobody answers', async () => {
    const { clock, corp, subscribe, watchers } = setUp();
    const before = subscribe();
    corp.answer(good(1));
    await settle();
    const after = subscribe({ onEmpty: 'keep' });
    before.unsubscribe();
    expect(after.told).toEqual(['1']);
    corp.answer(failed());
    await clock.advanceAsync(1000);
    corp.answer(empty);
    await settle();
    expect(after.told).toEqual(['1']);
    expect(after.state).toMatchObject({ kept: true, results: { ok: 1, empty: 1, failed: 1 } });
    watchers.stop();
  });

  test('a changed resolver is asked at once, what is known stays', async () => {
    const { corp, subscribe, watchers } = setUp();
    const [a, other] = [subscribe(), subscribe({ resolvers: 'other' })];
    corp.answer(good(1));
    await settle();
    const changed = new ScriptedResolver('corp');
    const added = new ScriptedResolver('other', () => good(5));
    watchers.update(byId(changed, added));
    await settle();
    expect([changed.asked.length, corp.watchers]).toEqual([1, 0]);
    expect(other.told).toEqual(['5']);
    changed.answer(failed());
    await settle();
    expect(a.told).toEqual(['1']);
    watchers.update(byId(changed, added));
    expect([changed.asked.length, added.asked.length]).toEqual([1, 1]);
    watchers.stop();
  });

  test('without a resolver by that name the look-ups fail, and what is known stays', async () => {
    const { corp, subscribe, watchers, clock } = setUp();
    const a = subscribe();
    corp.answer(good(1));
    await settle();
    watchers.update(new Map());
    await settle();
    expect(a.told).toEqual(['1']);
    expect(a.state.error).toMatchObject({
      code: 'RESOLVE_FAILED',
      message: expect.stringContaining('section corp'),
    });
    const b = subscribe({ domain: 'api.example.com' });
    await settle();
    expect(b.state).toMatchObject({ settled: true, set: undefined });
    watchers.stop();
    expect(clock.pending).toBe(0);
  });
});
