import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import type { DiscoveredSet } from '../../../src/discovery/discovered-set.ts';
import type { Resolution, Resolver } from '../../../src/discovery/resolution.ts';
import { Watcher, type WatcherOptions } from '../../../src/discovery/watcher.ts';
import type { WatcherEvent } from '../../../src/discovery/watcher-state.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { recordedLog } from '../../helpers/registry.ts';
import { empty, endpoint, excluding, failed, good, ScriptedResolver } from './scripted-resolver.ts';

/** A watcher of `web.example.com` every second; `random` 0.5 is no jitter. What was told is written as addresses. */
function setUp(options: Partial<WatcherOptions> & { resolver?: ScriptedResolver } = {}) {
  const clock = new FakeClock();
  const resolver = options.resolver ?? new ScriptedResolver();
  const sets: DiscoveredSet[] = [];
  const told: string[] = [];
  const events: WatcherEvent[] = [];
  const { log, lines } = recordedLog();
  const watcher = new Watcher({
    resolver,
    domain: 'web.example.com',
    port: 80,
    interval: 1000,
    onEmpty: 'drain',
    clock,
    random: () => 0.5,
    log,
    onSet: (set) => {
      sets.push(set);
      told.push(addresses(set));
    },
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { clock, resolver, watcher, sets, told, events, lines };
}

function addresses(set: DiscoveredSet | undefined): string {
  return set?.endpoints.map(({ address }) => address.replace('10.0.0.', '')).join(' ') ?? 'nothing';
}

describe('looking up', () => {
  test('is done at once, and a ready answer is told within microtasks', async () => {
    const { watcher, resolver, told } = setUp({
      resolver: new ScriptedResolver('builtin', () => good(1, 2)),
    });
    expect(watcher.state).toMatchObject({ settled: false, set: undefined, servers: undefined });
    watcher.start();
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(told).toEqual(['1 2']);
    expect(resolver.asked).toMatchObject([{ name: 'web.example.com', port: 80, last: [] }]);
    expect(watcher.state).toMatchObject({ settled: true, servers: 2, lastGood: 0 });
    watcher.stop();
  });

  test('is done again an interval after the end of the one before, never twice at a time', async () => {
    const { watcher, resolver, clock } = setUp();
    watcher.start();
    await clock.advanceAsync(700);
    expect(resolver.asked).toHaveLength(1);
    resolver.answer(good(1));
    await clock.advanceAsync(999);
    expect(resolver.asked).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(resolver.asked).toHaveLength(2);
    await clock.advanceAsync(20_000);
    expect(resolver.asked).toHaveLength(2);
    watcher.stop();
  });

  test.each([
    [0, 900],
    [0.5, 1000],
    [0.9999, 1099],
  ])('with random %d comes after about %d ms', async (random, wait) => {
    const { watcher, resolver, clock } = setUp({
      resolver: new ScriptedResolver('corp', () => good(1)),
      random: () => random,
    });
    watcher.start();
    await clock.advanceAsync(wait - 1);
    expect(resolver.asked).toHaveLength(1);
    await clock.advanceAsync(2);
    expect(resolver.asked).toHaveLength(2);
    watcher.stop();
  });

  test('hands the last good endpoints on to the resolver', async () => {
    const { watcher, resolver, clock } = setUp();
    watcher.start();
    resolver.answer(good(1));
    await clock.advanceAsync(1000);
    resolver.answer(failed());
    await clock.advanceAsync(1000);
    expect(resolver.asked.map(({ last }) => last)).toEqual([
      [],
      [endpoint('10.0.0.1')],
      [endpoint('10.0.0.1')],
    ]);
    watcher.stop();
  });

  test('that hangs, deaf to its signal, is given up and counts as failed; its late answer does not', async () => {
    const { watcher, resolver, clock, told, events } = setUp();
    watcher.start();
    await clock.advanceAsync(29_999);
    expect(watcher.state.settled).toBe(false);
    await clock.advanceAsync(1);
    expect(resolver.asked[0]?.signal.aborted).toBe(true);
    expect(watcher.state).toMatchObject({ settled: true, error: { code: 'RESOLVE_TIMEOUT' } });
    expect(events).toMatchObject([{ kind: 'failing' }]);
    resolver.asked[0]?.answer(good(9));
    await clock.advanceAsync(1000);
    expect(resolver.asked).toHaveLength(2);
    resolver.answer(good(1));
    await settle();
    expect(told).toEqual(['1']);
    watcher.stop();
    expect(clock.pending).toBe(0);
  });

  test('may take as long as the interval when that is longer', async () => {
    const { watcher, clock } = setUp({ interval: 60_000 });
    watcher.start();
    await clock.advanceAsync(59_999);
    expect(watcher.state.settled).toBe(false);
    await clock.advanceAsync(1);
    expect(watcher.state.settled).toBe(true);
    watcher.stop();
  });

  test.each<[string, Resolver['resolve']]>([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('through a resolver that %s has failed, and goes on', async (_, resolve) => {
    let calls = 0;
    const resolver: Resolver = {
      id: 'corp',
      resolve: (...args) => {
        calls += 1;
        return resolve(...args);
      },
    };
    const clock = new FakeClock();
    const { watcher } = setUp({ clock });
    watcher.changeResolver(resolver);
    watcher.start();
    await clock.advanceAsync(2000);
    expect(calls).toBe(3);
    expect(watcher.state).toMatchObject({ error: { code: 'INTERNAL', message: 'broken' } });
    watcher.stop();
  });
});

describe('changes the source tells of', () => {
  test('are looked up without any time passing', async () => {
    const { watcher, resolver, told } = setUp();
    watcher.start();
    resolver.answer(good(1));
    await settle();
    resolver.notify();
    expect(resolver.asked).toHaveLength(2);
    resolver.answer(good(2));
    await settle();
    resolver.notify();
    expect(resolver.asked).toHaveLength(3);
    resolver.answer(good(3));
    await settle();
    expect(told).toEqual(['1', '2', '3']);
    watcher.stop();
  });

  test('are told together, and soon, once telling them takes most of the time', async () => {
    const clock = new FakeClock();
    let servers = 0;
    const resolver = new ScriptedResolver('builtin', () => good(++servers));
    const told: string[] = [];
    const { watcher } = setUp({
      clock,
      resolver,
      interval: 60_000,
      onSet: (set) => {
        told.push(addresses(set));
        clock.advance(100);
      },
    });
    watcher.start();
    await settle();
    expect(told).toEqual(['1']);
    for (let i = 0; i < 5; i++) resolver.notify();
    await settle();
    expect(told).toEqual(['1']);
    await clock.advanceAsync(25);
    await settle();
    expect(told).toEqual(['1', '2']);
    watcher.stop();
    expect(clock.pending).toBe(0);
  });

  test('during a look-up make exactly one more follow it', async () => {
    const { watcher, resolver, clock } = setUp();
    watcher.start();
    for (let i = 0; i < 5; i++) resolver.notify();
    expect(resolver.asked).toHaveLength(1);
    resolver.answer(good(1));
    await settle();
    expect(resolver.asked).toHaveLength(2);
    resolver.answer(good(1));
    await clock.advanceAsync(999);
    expect(resolver.asked).toHaveLength(2);
    watcher.stop();
  });

  test('start the interval anew', async () => {
    const { watcher, resolver, clock } = setUp({ resolver: new ScriptedResolver('builtin', () => good(1)) });
    watcher.start();
    await clock.advanceAsync(600);
    resolver.notify();
    await clock.advanceAsync(999);
    expect(resolver.asked).toHaveLength(2);
    await clock.advanceAsync(1);
    expect(resolver.asked).toHaveLength(3);
    watcher.stop();
  });
});

describe('lookNow', () => {
  test('looks at once, and then a hundred milliseconds after the last look-up at the earliest', async () => {
    const { watcher, resolver, clock } = setUp({ resolver: new ScriptedResolver('corp', () => good(1)) });
    watcher.start();
    await clock.advanceAsync(500);
    watcher.lookNow();
    expect(resolver.asked).toHaveLength(2);
    for (let ms = 0; ms < 200; ms++) {
      watcher.lookNow();
      await clock.advanceAsync(1);
    }
    expect(resolver.asked).toHaveLength(4);
    watcher.stop();
    expect(clock.pending).toBe(0);
  });

  test('during a look-up: exactly one more follows', async () => {
    const { watcher, resolver, clock } = setUp();
    watcher.start();
    await clock.advanceAsync(300);
    for (let i = 0; i < 5; i++) watcher.lookNow();
    resolver.answer(good(1));
    await settle();
    expect(resolver.asked).toHaveLength(2);
    resolver.answer(good(1));
    await clock.advanceAsync(999);
    expect(resolver.asked).toHaveLength(2);
    watcher.stop();
  });

  test('does not put off a change the source tells of', async () => {
    const { watcher, resolver } = setUp({ resolver: new ScriptedResolver('builtin', () => good(1)) });
    watcher.start();
    await settle();
    watcher.lookNow();
    expect(resolver.asked).toHaveLength(1);
    resolver.notify();
    expect(resolver.asked).toHaveLength(2);
    watcher.stop();
  });

  test('before the start or after the end does nothing', () => {
    const { watcher, resolver } = setUp();
    watcher.lookNow();
    watcher.stop();
    watcher.lookNow();
    expect(resolver.asked).toHaveLength(0);
  });
});

describe('failure is not emptiness', () => {
  test('failures keep the last good set; its age shows, and two lines tell of them', async () => {
    const { watcher, resolver, clock, told, events, lines } = setUp();
    watcher.start();
    resolver.answer(good(1, 2));
    await clock.advanceAsync(1000);
    for (let i = 0; i < 5; i++) {
      resolver.answer(failed());
      await clock.advanceAsync(1000);
    }
    expect(watcher.state).toMatchObject({
      servers: 2,
      lastGood: 0,
      failingSince: 1000,
      error: { code: 'RESOLVE_TIMEOUT', message: 'nobody answers' },
      results: { ok: 1, empty: 0, failed: 5 },
    });
    resolver.answer(good(2));
    await settle();
    expect(told).toEqual(['1 2', '2']);
    expect(watcher.state).toMatchObject({ error: undefined, failingSince: undefined, lastGood: 6000 });
    expect(events).toMatchObject([{ kind: 'failing' }, { kind: 'recovered', after: 5000 }]);
    const name = { domain: 'web.example.com', resolvers: 'corp' };
    expect(lines).toEqual([
      {
        level: 'warn',
        message: 'name not resolved, its servers stay',
        fields: { ...name, code: 'RESOLVE_TIMEOUT', error: 'nobody answers', servers: 2 },
      },
      { level: 'info', message: 'name resolved again', fields: { ...name, seconds: 5, servers: 1 } },
    ]);
    watcher.stop();
  });

  test('a name that never resolved has no set, but is settled', async () => {
    const { watcher, resolver, told, lines } = setUp();
    watcher.start();
    resolver.answer(failed());
    await settle();
    expect(told).toEqual([]);
    expect(watcher.state).toMatchObject({ settled: true, set: undefined, servers: undefined });
    expect(lines.map(({ message }) => message)).toEqual(['name not resolved yet']);
    watcher.stop();
  });

  test('an answer without servers is not told as if all were well again', async () => {
    const { watcher, resolver, clock, lines } = setUp();
    watcher.start();
    resolver.answer(failed());
    await clock.advanceAsync(2000);
    resolver.answer(empty);
    await settle();
    expect(lines).toMatchObject([
      { level: 'warn', message: 'name not resolved yet' },
      { level: 'warn', message: 'name resolved again, to no servers', fields: { seconds: 2, servers: 0 } },
    ]);
    watcher.stop();
  });

  test('an empty answer drains', async () => {
    const { watcher, resolver, clock, told, sets } = setUp();
    watcher.start();
    resolver.answer(good(1));
    await clock.advanceAsync(1000);
    const excluded = { address: '10.0.0.1', port: 80, name: 'web-1', why: 'critical: x' };
    resolver.answer(excluding(excluded));
    await settle();
    expect(told).toEqual(['1', '']);
    expect(sets[1]?.excluded).toEqual([excluded]);
    expect(watcher.state).toMatchObject({ servers: 0, kept: false, results: { ok: 1, empty: 1 } });
    watcher.stop();
  });

  test('with on-empty: keep the last servers stay, and two lines tell of it', async () => {
    const { watcher, resolver, clock, told, events, lines } = setUp({ onEmpty: 'keep' });
    watcher.start();
    for (const answer of [good(1, 2), empty, failed(), empty, good(1, 2), good(3)]) {
      resolver.answer(answer);
      await settle();
      if (answer === empty) {
        expect(watcher.state).toMatchObject({ kept: true, servers: 0 });
        expect(addresses(watcher.state.set)).toBe('1 2');
      }
      await clock.advanceAsync(1000);
    }
    expect(told).toEqual(['1 2', '3']);
    expect(watcher.state).toMatchObject({ kept: false, results: { ok: 3, empty: 2, failed: 1 } });
    expect(events.map(({ kind }) => kind)).toEqual(['kept', 'failing', 'recovered', 'refilled']);
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'name has no servers, the last ones are kept'],
      ['warn', 'name not resolved, its servers stay'],
      ['info', 'name resolved again'],
      ['info', 'name has servers again'],
    ]);
    watcher.stop();
  });

  test('with on-empty: keep there is nothing to keep at first: an empty set is told', async () => {
    const { watcher, resolver, told, lines } = setUp({ onEmpty: 'keep' });
    watcher.start();
    resolver.answer(empty);
    await settle();
    expect(told).toEqual(['']);
    expect(watcher.state.kept).toBe(false);
    expect(lines).toEqual([]);
    watcher.stop();
  });

  test('a gap in an answer is told when it begins and when it ends', async () => {
    const { watcher, resolver, clock, events, lines } = setUp();
    const gap = new VaneError('RESOLVE_FAILED', 'AAAA web.example.com: SERVFAIL');
    watcher.start();
    for (const answer of [{ ...good(1), gap }, { ...good(1), gap }, good(1)]) {
      resolver.answer(answer);
      await settle();
      expect(watcher.state).toMatchObject({ error: undefined, gap: 'gap' in answer ? gap : undefined });
      await clock.advanceAsync(1000);
    }
    expect(events.map(({ kind }) => kind)).toEqual(['gap', 'whole']);
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'info']);
    watcher.stop();
  });
});

describe('sets', () => {
  test('an answer in another order is the same set', async () => {
    const { watcher, resolver, clock, told } = setUp();
    watcher.start();
    for (const answer of [good(1, 2, 3), good(3, 1, 2), good(2, 3, 1)]) {
      resolver.answer(answer);
      await clock.advanceAsync(1000);
    }
    expect(told).toEqual(['1 2 3']);
    watcher.stop();
  });

  test.each<[string, Resolution]>([
    ['weight', { ok: true, endpoints: [endpoint('10.0.0.1', 80, { weight: 5 })], excluded: [] }],
    ['priority', { ok: true, endpoints: [endpoint('10.0.0.1', 80, { priority: 5 })], excluded: [] }],
    ['port', { ok: true, endpoints: [endpoint('10.0.0.1', 81)], excluded: [] }],
    ['name', { ok: true, endpoints: [endpoint('10.0.0.1', 80, { name: 'web-1' })], excluded: [] }],
    ['reason to be absent', excluding({ address: '10.0.0.1', port: 80, name: 'web-1', why: 'critical: x' })],
  ])('another %s is another set', async (_, second) => {
    const { watcher, resolver, clock, sets } = setUp();
    watcher.start();
    resolver.answer(good(1));
    await clock.advanceAsync(1000);
    resolver.answer(second);
    await settle();
    expect(sets).toHaveLength(2);
    watcher.stop();
  });

  test('another reason to be absent is another set, the same reason is not', async () => {
    const { watcher, resolver, clock, sets } = setUp();
    watcher.start();
    for (const why of ['critical: x', 'critical: x', 'critical: y']) {
      resolver.answer(excluding({ address: '10.0.0.1', port: 80, name: 'web-1', why }));
      await clock.advanceAsync(1000);
    }
    expect(sets.map(({ excluded }) => excluded[0]?.why)).toEqual(['critical: x', 'critical: y']);
    watcher.stop();
  });

  test('of endpoints with one address, port and name the first stands for all; another name is another server', async () => {
    const { watcher, resolver, sets } = setUp();
    watcher.start();
    const [a, heavy, b] = [{ name: 'a' }, { name: 'a', weight: 9 }, { name: 'b' }].map((rest) =>
      endpoint('10.0.0.1', 80, rest),
    );
    const [once, other] = ['a', 'c'].map((name) => ({
      address: '10.0.0.1',
      port: 80,
      name,
      why: 'critical: x',
    }));
    if (!a || !heavy || !b || !once || !other) throw new Error('not made');
    resolver.answer({ ok: true, endpoints: [b, a, heavy], excluded: [once, other] });
    await settle();
    expect(sets).toEqual([{ endpoints: [heavy, b], excluded: [other] }]);
    watcher.stop();
  });

  test('whatever answers and failures came, the set is that of the last good answer', async () => {
    const answers = fc.oneof(
      fc.constant(failed()),
      fc.uniqueArray(fc.integer({ min: 1, max: 4 })).map((hosts) => good(...hosts)),
    );
    const steps = fc.array(
      fc.record({ answer: answers, how: fc.constantFrom('wait', 'notify', 'lookNow', 'hang') }),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom('drain', 'keep'), async (script, onEmpty) => {
        const { watcher, resolver, clock, told } = setUp({ onEmpty: onEmpty === 'keep' ? 'keep' : 'drain' });
        watcher.start();
        const inForce = ['nothing'];
        for (const { answer, how } of script) {
          const asked = resolver.asked.length;
          // A look-up under way when asked for another is answered, and so is the one that follows.
          if (how === 'notify') resolver.notify();
          if (how === 'lookNow') watcher.lookNow();
          if (how === 'hang') await clock.advanceAsync(30_000);
          else resolver.answer(answer);
          await clock.advanceAsync(1000);
          expect(resolver.asked.length).toBeGreaterThan(asked);
          if (how === 'hang' || !answer.ok) continue;
          const set = answer.endpoints.map(({ address }) => address.slice(7)).sort();
          if (onEmpty === 'keep' && set.length === 0 && inForce.length > 1) continue;
          if (inForce.at(-1) !== set.join(' ')) inForce.push(set.join(' '));
        }
        expect(addresses(watcher.state.set)).toBe(inForce.at(-1));
        expect(told).toEqual(inForce.slice(1));
        watcher.stop();
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});

describe('settings that change', () => {
  test('a shorter interval counts from the last look-up', async () => {
    const { watcher, resolver, clock } = setUp({
      resolver: new ScriptedResolver('corp', () => good(1)),
      interval: 60_000,
    });
    watcher.start();
    await clock.advanceAsync(1500);
    watcher.changeInterval(2000);
    await clock.advanceAsync(499);
    expect(resolver.asked).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(resolver.asked).toHaveLength(2);
    watcher.changeInterval(10_000);
    await clock.advanceAsync(9999);
    expect(resolver.asked).toHaveLength(2);
    await clock.advanceAsync(1);
    expect(resolver.asked).toHaveLength(3);
    watcher.stop();
    expect(clock.pending).toBe(0);
  });

  test('another resolver is asked at once, and only it is believed and heard from then on', async () => {
    const { watcher, resolver, told } = setUp();
    const second = new ScriptedResolver('corp');
    watcher.start();
    resolver.answer(good(1));
    await settle();
    resolver.notify();
    watcher.changeResolver(second);
    expect(resolver.asked[1]?.signal.aborted).toBe(true);
    expect([resolver.watchers, second.watchers]).toEqual([0, 1]);
    resolver.answer(good(9));
    second.answer(failed());
    await settle();
    expect(addresses(watcher.state.set)).toBe('1');
    expect(watcher.state.results).toEqual({ ok: 1, empty: 0, failed: 1 });
    second.notify();
    second.answer(good(2));
    await settle();
    expect(told).toEqual(['1', '2']);
    watcher.stop();
  });
});

describe('stop', () => {
  test('during a look-up: ends it, and nothing is told any more', async () => {
    const { watcher, resolver, clock, told, events } = setUp();
    watcher.start();
    expect(resolver.watchers).toBe(1);
    watcher.stop();
    watcher.stop();
    expect(resolver.asked[0]?.signal.aborted).toBe(true);
    resolver.answer(good(1));
    await settle();
    resolver.notify();
    expect([told, events, resolver.watchers, clock.pending]).toEqual([[], [], 0, 0]);
    watcher.start();
    expect(resolver.asked).toHaveLength(1);
  });

  test('by the listener of an event: neither another event nor the set it came with is told', async () => {
    const clock = new FakeClock();
    const kinds: string[] = [];
    const { watcher, resolver, told } = setUp({
      clock,
      onEvent: ({ kind }) => {
        kinds.push(kind);
        if (kind === 'recovered') watcher.stop();
      },
    });
    watcher.start();
    resolver.answer(failed());
    await clock.advanceAsync(1000);
    const inPart = { ...good(1), gap: new VaneError('RESOLVE_FAILED', 'AAAA: SERVFAIL') };
    resolver.answer(inPart);
    await settle();
    expect([kinds, told, clock.pending]).toEqual([['failing', 'recovered'], [], 0]);
  });

  test('start twice is start once', () => {
    const { watcher, resolver } = setUp();
    watcher.start();
    watcher.start();
    expect([resolver.asked.length, resolver.watchers]).toEqual([1, 1]);
    watcher.stop();
  });
});

describe('guards', () => {
  const guarded = (options: Partial<Pick<WatcherOptions, 'onEmpty' | 'maxRemoval'>>) =>
    setUp({ interval: 3_600_000, ...options });

  test('let go at their time, however long the interval is', async () => {
    const { watcher, resolver, clock, told, events, lines } = guarded({ onEmpty: { keepFor: 5_000 } });
    watcher.start();
    resolver.answer(good(1, 2));
    await settle();
    resolver.notify();
    resolver.answer(empty);
    await settle();
    expect(watcher.state).toMatchObject({ kept: true, servers: 0, until: 5_000 });
    await clock.advanceAsync(4_999);
    expect(resolver.asked).toHaveLength(2);
    await clock.advanceAsync(1);
    resolver.answer(empty);
    await settle();
    expect(told).toEqual(['1 2', '']);
    expect(events).toMatchObject([{ kind: 'kept', servers: 2, lasts: 5_000 }, { kind: 'unkept' }]);
    expect(lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'warn: name has no servers, the last ones are kept',
      'error: name has had no servers for too long, the last ones go',
    ]);
    watcher.stop();
    expect(clock.pending).toBe(0);
  });

  test('tell once of servers that are held, and once that none is any more', async () => {
    const maxRemoval = { amount: { count: 1 }, per: 5_000 };
    const { watcher, resolver, clock, told, events, lines } = guarded({ maxRemoval });
    watcher.start();
    resolver.answer(good(1, 2, 3, 4));
    await settle();
    for (const left of [good(1, 2), good(1)]) {
      resolver.notify();
      resolver.answer(left);
      await settle();
    }
    expect(watcher.state.held.map(({ address }) => address)).toEqual(['10.0.0.2', '10.0.0.4']);
    for (let i = 0; i < 2; i++) {
      await clock.advanceAsync(5_000);
      resolver.answer(good(1));
      await settle();
    }
    expect(told).toEqual(['1 2 3 4', '1 2 4', '1 4', '1']);
    expect(events.map(({ kind }) => kind)).toEqual(['held', 'held', 'released']);
    expect(lines.map(({ message }) => message)).toEqual([
      'name has lost too many servers at once, some are held',
      'name has no servers held any more',
    ]);
    watcher.stop();
  });
});

describe('what nobody confirms', () => {
  test('is stale after a minute of failures, and is told once', async () => {
    const { watcher, resolver, clock, events } = setUp({
      resolver: new ScriptedResolver('corp', (nth) => (nth === 1 ? good(1) : failed())),
    });
    watcher.start();
    await clock.advanceAsync(59_000);
    expect(watcher.state.stale).toBe(false);
    await clock.advanceAsync(2_000);
    expect(watcher.state.stale).toBe(true);
    await clock.advanceAsync(60_000);
    expect(events).toMatchObject([{ kind: 'failing' }, { kind: 'stale', age: 60_000 }]);
    resolver.script = () => good(1);
    await clock.advanceAsync(1_000);
    expect(watcher.state.stale).toBe(false);
    watcher.stop();
  });

  test('not even once is told as such', async () => {
    const { watcher, clock, lines } = setUp({ resolver: new ScriptedResolver('corp', () => failed()) });
    watcher.start();
    await clock.advanceAsync(61_000);
    expect(lines.map(({ message }) => message)).toEqual([
      'name not resolved yet',
      'name still not resolved: it has no servers',
    ]);
    watcher.stop();
  });
});
