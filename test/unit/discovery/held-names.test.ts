import { afterEach, describe, expect, test } from 'vitest';
import { VaneError } from '../../../src/core/errors.ts';
import { type HoldRules, heldNames, type LookUp } from '../../../src/discovery/held-names.ts';
import { Watcher, type WatcherOptions } from '../../../src/discovery/watcher.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { holding } from '../../helpers/hold-rules.ts';
import { recordedLog } from '../../helpers/registry.ts';
import { endpoint } from './scripted-resolver.ts';

const watchers: Watcher[] = [];
afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.stop();
});

/** A name that is watched every second through the holds; `says` is what nameservers say, from now on if it is set. */
function setUp(rules: HoldRules, options: Partial<WatcherOptions> & { readonly says?: LookUp } = {}) {
  const { says = hosts(1, 2), ...watcherOptions } = options;
  const clock = new FakeClock();
  /** When nameservers were asked. */
  const asked: number[] = [];
  /** What was told, and when: `at: servers`. */
  const told: string[] = [];
  const scene = { says, clock, asked, told };
  const resolver = heldNames('corp', rules, clock, async () => {
    asked.push(clock.now());
    return scene.says;
  });
  const watcher = new Watcher({
    resolver,
    domain: 'web.example.com',
    port: 80,
    interval: 1_000,
    onEmpty: 'drain',
    maxRemoval: undefined,
    clock,
    random: () => 0.5,
    log: recordedLog().log,
    onSet: ({ endpoints }) => {
      const servers = endpoints.map(({ address }) => address.replace('10.0.0.', '')).join(' ');
      told.push(`${clock.now()}: ${servers}`);
    },
    ...watcherOptions,
  });
  watchers.push(watcher);
  watcher.start();
  return Object.assign(scene, { watcher });
}

function hosts(...numbers: number[]): LookUp {
  return { ok: true, endpoints: numbers.map((n) => endpoint(`10.0.0.${n}`)), excluded: [] };
}

const nobody: LookUp = { ok: true, endpoints: [], excluded: [] };

function failing(code: 'RESOLVE_TIMEOUT' | 'RESOLVE_REFUSED' | 'RESOLVE_FAILED'): LookUp {
  return { ok: false, error: new VaneError(code, 'no') };
}

describe('a hold that runs out', () => {
  test('is noticed in time, however long the interval', async () => {
    const scene = setUp(holding({ nx: 30_000 }), { interval: 3_600_000 });
    await scene.clock.advanceAsync(0);
    scene.says = nobody;
    scene.watcher.lookNow();
    await scene.clock.advanceAsync(100);
    await scene.clock.advanceAsync(29_999);
    expect(scene.told).toEqual(['0: 1 2']);
    await scene.clock.advanceAsync(1);
    expect(scene.told).toEqual(['0: 1 2', '30100: ']);
    expect(scene.asked).toEqual([0, 100, 30_100]);
  });

  test('counts although nobody answers any more', async () => {
    const scene = setUp(holding({ obsolete: 10_000 }), { interval: 3_600_000 });
    await scene.clock.advanceAsync(0);
    scene.says = hosts(2);
    scene.watcher.lookNow();
    await scene.clock.advanceAsync(100);
    scene.says = failing('RESOLVE_TIMEOUT');
    await scene.clock.advanceAsync(60_000);
    expect(scene.told).toEqual(['0: 1 2', '10100: 2']);
    expect(scene.watcher.state).toMatchObject({ error: { code: 'RESOLVE_TIMEOUT' }, lastGood: 100 });
  });

  test('is of no account when the look-up at its end brings the servers back', async () => {
    const scene = setUp(holding({ nx: 30_000 }), { interval: 3_600_000 });
    await scene.clock.advanceAsync(0);
    scene.says = nobody;
    scene.watcher.lookNow();
    await scene.clock.advanceAsync(20_000);
    scene.says = hosts(1, 2);
    await scene.clock.advanceAsync(60_000);
    expect(scene.told).toEqual(['0: 1 2']);
  });

  test('for failures takes the servers, as the user has written; on-empty keeps them all the same', async () => {
    const scene = setUp(holding({ timeout: 5_000 }));
    const keeping = setUp(holding({ timeout: 5_000 }), { onEmpty: 'keep' });
    for (const one of [scene, keeping]) {
      await one.clock.advanceAsync(0);
      one.says = failing('RESOLVE_TIMEOUT');
      await one.clock.advanceAsync(60_000);
    }
    expect(scene.told).toEqual(['0: 1 2', '5000: ']);
    expect(scene.watcher.state).toMatchObject({ error: { code: 'RESOLVE_TIMEOUT' }, lastGood: 0 });
    expect(keeping.told).toEqual(['0: 1 2']);
    scene.says = hosts(3);
    await scene.clock.advanceAsync(1_000);
    expect(scene.told.at(-1)).toBe('61000: 3');
  });

  test.each(['RESOLVE_TIMEOUT', 'RESOLVE_REFUSED', 'RESOLVE_FAILED'] as const)(
    'unless there is none for %s: the servers stay for ever, and how old they are shows',
    async (code) => {
      const scene = setUp(holding({ nx: 30_000 }));
      await scene.clock.advanceAsync(0);
      scene.says = failing(code);
      await scene.clock.advanceAsync(500_000);
      expect(scene.told).toEqual(['0: 1 2']);
      expect(scene.watcher.state).toMatchObject({ error: { code }, lastGood: 0 });
    },
  );
});

test('all servers gone, none, and all new ones within one interval: the new ones are used (and nothing is stuck)', async () => {
  const scene = setUp(holding({ nx: 30_000 }));
  await scene.clock.advanceAsync(0);
  for (let round = 0; round < 20; round++) {
    scene.says = nobody;
    scene.watcher.lookNow();
    await scene.clock.advanceAsync(200);
    scene.says = hosts(10 + round, 40 + round);
    scene.watcher.lookNow();
    await scene.clock.advanceAsync(200);
    expect(scene.told.at(-1)).toMatch(`: ${10 + round} ${40 + round}`);
  }
  expect(scene.told.some((line) => line.endsWith(': '))).toBe(false);
});

describe('a reload', () => {
  test('that brings another section keeps holding what the former one had held', async () => {
    const scene = setUp(holding({ nx: 30_000 }));
    await scene.clock.advanceAsync(0);
    scene.says = nobody;
    await scene.clock.advanceAsync(2_000);
    const next = heldNames('corp', holding({ nx: 5_000 }), scene.clock, async () => nobody);
    scene.watcher.changeResolver(next);
    await scene.clock.advanceAsync(4_999);
    expect(scene.told).toEqual(['0: 1 2']);
    await scene.clock.advanceAsync(1_001);
    expect(scene.told).toEqual(['0: 1 2', '7000: ']);
  });

  test('or a stop leaves no timer behind', async () => {
    const scene = setUp(holding({ nx: 30_000, timeout: 10_000 }));
    await scene.clock.advanceAsync(0);
    scene.says = nobody;
    await scene.clock.advanceAsync(2_000);
    scene.says = failing('RESOLVE_TIMEOUT');
    await scene.clock.advanceAsync(2_000);
    scene.watcher.stop();
    expect(scene.clock.pending).toBe(0);
  });
});

describe('hold valid', () => {
  test('has a good answer taken again instead of asking, whatever asks; its age shows', async () => {
    const scene = setUp(holding({ valid: 2_500 }));
    await scene.clock.advanceAsync(2_499);
    scene.watcher.lookNow();
    await scene.clock.advanceAsync(0);
    expect(scene.asked).toEqual([0]);
    expect(scene.watcher.state.lastGood).toBe(0);
    await scene.clock.advanceAsync(1_200);
    expect(scene.asked).toHaveLength(2);
  });

  test('puts a look-up that somebody wants off until it is over, and no longer', async () => {
    const scene = setUp(holding({ valid: 10_000 }), { interval: 3_600_000 });
    await scene.clock.advanceAsync(5_000);
    scene.says = hosts(3);
    scene.watcher.lookNow();
    await scene.clock.advanceAsync(4_999);
    expect(scene.told).toEqual(['0: 1 2']);
    await scene.clock.advanceAsync(1);
    expect(scene.told).toEqual(['0: 1 2', '10000: 3']);
    expect(scene.asked).toEqual([0, 10_000]);
  });

  test('is no reason to keep a bad answer or a failure', async () => {
    const scene = setUp(holding({ valid: 60_000 }), { says: failing('RESOLVE_TIMEOUT') });
    await scene.clock.advanceAsync(3_000);
    expect(scene.asked).toHaveLength(4);
    scene.says = nobody;
    await scene.clock.advanceAsync(3_000);
    expect(scene.asked).toHaveLength(7);
  });
});

describe('TTLs', () => {
  const ttl = { min: 1_000, max: 60_000 };
  const lasting = (ms: number): LookUp => ({ ...hosts(1, 2), ttl: ms });

  test.each<[string, LookUp, number]>([
    ['as long as it says', lasting(20_000), 20_000],
    ['no shorter than min-ttl', lasting(0), 1_000],
    ['no longer than max-ttl', lasting(86_400_000), 60_000],
    ['no longer than timeout resolve where nobody is there', nobody, 2_000],
    ['no longer than timeout resolve after a failure', failing('RESOLVE_FAILED'), 2_000],
  ])('within bounds that the user gave have an answer believed: %s', async (_, says, period) => {
    const scene = setUp(holding({}, { ttl }), { interval: ttl.max, says });
    await scene.clock.advanceAsync(period - 1);
    expect(scene.asked).toHaveLength(1);
    await scene.clock.advanceAsync(1);
    expect(scene.asked).toEqual([0, period]);
  });

  test('never stretch an interval that the server entry gives', async () => {
    const scene = setUp(holding({}, { ttl }), { interval: 5_000, says: lasting(20_000) });
    await scene.clock.advanceAsync(15_000);
    expect(scene.asked).toEqual([0, 5_000, 10_000, 15_000]);
  });

  test('mean nothing without bounds', async () => {
    const scene = setUp(holding(), { says: lasting(20_000) });
    await scene.clock.advanceAsync(3_000);
    expect(scene.asked).toHaveLength(4);
  });

  test('a changed interval counts at once where it is the shorter one', async () => {
    const scene = setUp(holding({}, { ttl }), { interval: ttl.max, says: lasting(20_000) });
    await scene.clock.advanceAsync(1_000);
    scene.watcher.changeInterval(90_000);
    scene.watcher.changeInterval(5_000);
    await scene.clock.advanceAsync(4_000);
    expect(scene.asked).toEqual([0, 5_000]);
  });
});

test('names that nobody watches leave nothing behind', async () => {
  const clock = new FakeClock();
  const resolver = heldNames('corp', holding({ nx: 30_000 }), clock, async () => nobody);
  const last = [endpoint('10.0.0.1')];
  const { signal } = new AbortController();
  expect(await resolver.resolve('web.example.com', 80, signal, last)).toMatchObject({ endpoints: last });
  expect(clock.pending).toBe(0);
});

test('ports of one name are held apart', async () => {
  const clock = new FakeClock();
  let says = hosts(1);
  const resolver = heldNames('corp', holding({ nx: 30_000 }), clock, async () => says);
  const cancel = resolver.watch?.('web.example.com', () => {});
  const { signal } = new AbortController();
  await resolver.resolve('web.example.com', 80, signal, []);
  says = nobody;
  expect(await resolver.resolve('web.example.com', 81, signal, [])).toMatchObject({ endpoints: [] });
  expect(await resolver.resolve('web.example.com', 80, signal, [])).toMatchObject({
    endpoints: [{ address: '10.0.0.1' }],
  });
  cancel?.();
  expect(clock.pending).toBe(0);
});
