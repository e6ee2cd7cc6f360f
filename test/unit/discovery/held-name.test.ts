import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HoldTimes } from '../../../src/config/runtime/resolvers.ts';
import { VaneError } from '../../../src/core/errors.ts';
import { idOf } from '../../../src/discovery/discovered-set.ts';
import {
  afterAnswer,
  afterFailure,
  answeredServers,
  type HeldName,
  heldAnswer,
  heldFailure,
  heldNameOf,
  nextExpiry,
} from '../../../src/discovery/held-name.ts';
import type { Resolution } from '../../../src/discovery/resolution.ts';
import { holding } from '../../helpers/hold-rules.ts';
import { endpoint } from './scripted-resolver.ts';

type Kind = 'timeout' | 'refused' | 'other';

const CODES = { timeout: 'RESOLVE_TIMEOUT', refused: 'RESOLVE_REFUSED', other: 'RESOLVE_FAILED' } as const;

/** What one look-up said: hosts of 10.0.0.0/24, or how it failed. */
type Said = readonly number[] | Kind;

/** One name that is looked up as told; `set` is what whoever follows it would use. */
class Scene {
  now = 0;
  held: HeldName = heldNameOf([], 0);
  set = '';
  last: Resolution | undefined;
  readonly #hold: HoldTimes;

  constructor(hold: Partial<HoldTimes>) {
    this.#hold = holding(hold).hold;
  }

  say(at: number, said: Said): string {
    this.now = at;
    if (typeof said === 'string') {
      const error = new VaneError(CODES[said], said);
      this.held = afterFailure(this.held, error, this.#hold, at);
      this.last = heldFailure(this.held, error);
      if (!this.last.ok && this.last.remaining) this.set = shown(this.last.remaining.endpoints);
    } else {
      const endpoints = said.map((host) => endpoint(`10.0.0.${host}`));
      this.held = afterAnswer(this.held, { endpoints, excluded: [] }, this.#hold, at);
      this.last = heldAnswer(this.held, undefined, 'web.example.com');
      this.set = shown(this.last.endpoints);
    }
    return this.set;
  }
}

function shown(endpoints: readonly { address: string }[]): string {
  return endpoints
    .map(({ address }) => address.replace('10.0.0.', ''))
    .sort()
    .join(' ');
}

/** `[at, what is said, the set after it]`. */
type Step = readonly [at: number, said: Said, set: string];

describe('an answer without servers', () => {
  test.each<[string, Partial<HoldTimes>, Step[]]>([
    [
      'counts at once with hold nx 0',
      {},
      [
        [0, [1, 2], '1 2'],
        [1, [], ''],
      ],
    ],
    [
      'counts when it has been given for hold nx, not before',
      { nx: 30_000 },
      [
        [0, [1, 2], '1 2'],
        [5_000, [], '1 2'],
        [20_000, [], '1 2'],
        [34_999, [], '1 2'],
        [35_000, [], ''],
      ],
    ],
    [
      'begins anew after a good one',
      { nx: 30_000 },
      [
        [0, [1], '1'],
        [1_000, [], '1'],
        [20_000, [1], '1'],
        [40_000, [], '1'],
        [69_999, [], '1'],
        [70_000, [], ''],
      ],
    ],
    [
      'goes on counting through failures, and its time ends during one',
      { nx: 30_000 },
      [
        [0, [1], '1'],
        [1_000, [], '1'],
        [2_000, 'timeout', '1'],
        [31_000, 'timeout', ''],
        [32_000, 'timeout', ''],
      ],
    ],
    [
      'gives way at once to one with all new servers',
      { nx: 30_000 },
      [
        [0, [1, 2], '1 2'],
        [1_000, [], '1 2'],
        [2_000, [3, 4], '3 4'],
      ],
    ],
  ])('%s', (_, hold, steps) => {
    const scene = new Scene(hold);
    expect(steps.map(([at, said]) => [at, said, scene.say(at, said)])).toEqual(steps);
  });

  test('is told as a gap while it is held', () => {
    const scene = new Scene({ nx: 30_000 });
    scene.say(0, [1]);
    scene.say(1, []);
    expect(scene.last).toMatchObject({ gap: { message: expect.stringContaining('hold nx') } });
    expect(nextExpiry(scene.held)).toBe(30_001);
    expect(answeredServers(scene.held)).toEqual([]);
  });
});

describe('a server that answers lack', () => {
  test.each<[string, Partial<HoldTimes>, Step[]]>([
    [
      'is gone at once with hold obsolete 0',
      {},
      [
        [0, [1, 2], '1 2'],
        [1, [2], '2'],
      ],
    ],
    [
      'stays for hold obsolete, each from its own absence on',
      { obsolete: 10_000 },
      [
        [0, [1, 2, 3], '1 2 3'],
        [1_000, [2, 3], '1 2 3'],
        [6_000, [3], '1 2 3'],
        [11_000, [3], '2 3'],
        [16_000, [3], '3'],
      ],
    ],
    [
      'stays for good when it is back in time',
      { obsolete: 10_000 },
      [
        [0, [1, 2], '1 2'],
        [1_000, [2], '1 2'],
        [9_000, [1, 2], '1 2'],
        [12_000, [2], '1 2'],
        [22_000, [2], '2'],
      ],
    ],
    [
      'goes during failures too, when its time is over',
      { obsolete: 10_000 },
      [
        [0, [1, 2], '1 2'],
        [1_000, [2], '1 2'],
        [5_000, 'timeout', '1 2'],
        [11_000, 'timeout', '2'],
      ],
    ],
  ])('%s', (_, hold, steps) => {
    const scene = new Scene(hold);
    expect(steps.map(([at, said]) => [at, said, scene.say(at, said)])).toEqual(steps);
  });
});

describe.each<Kind>(['timeout', 'refused', 'other'])('failures of kind %s', (kind) => {
  test('change nothing, however long they last', () => {
    const scene = new Scene({});
    scene.say(0, [1, 2]);
    for (const at of [1, 30_000, 86_400_000, 1e12]) expect(scene.say(at, kind)).toBe('1 2');
    expect(scene.last).toEqual({ ok: false, error: expect.anything() });
    expect(nextExpiry(scene.held)).toBeUndefined();
  });

  test('take the servers away when the user has written a hold for them, from the last good answer on', () => {
    const scene = new Scene({ [kind]: 30_000 });
    scene.say(0, [1, 2]);
    expect(scene.say(10_000, [1, 2])).toBe('1 2');
    expect(scene.say(39_999, kind)).toBe('1 2');
    expect(nextExpiry(scene.held)).toBe(40_000);
    expect(scene.say(40_000, kind)).toBe('');
    expect(scene.say(50_000, [2])).toBe('2');
  });

  test('do so with the hold of their own kind only', () => {
    const others = { timeout: 1_000, refused: 1_000, other: 1_000, [kind]: undefined };
    const scene = new Scene(others);
    scene.say(0, [1]);
    expect(scene.say(60_000, kind)).toBe('1');
  });
});

test('what somebody else knew of the name is held as if it had been answered', () => {
  const hold = holding({ nx: 30_000 }).hold;
  const held = heldNameOf([endpoint('10.0.0.1')], 5_000);
  const denied = afterAnswer(held, { endpoints: [], excluded: [] }, hold, 6_000);
  expect(shown(heldAnswer(denied, undefined, 'web').endpoints)).toBe('1');
  expect(nextExpiry(denied)).toBe(36_000);
});

describe('whatever look-ups say', () => {
  const ms = fc.constantFrom(0, 1_000, 5_000, 30_000);
  const perhaps = fc.option(ms, { nil: undefined });
  const holds = fc.record({
    ...{ valid: fc.constant(0), nx: ms, obsolete: ms, timeout: perhaps, refused: perhaps, other: perhaps },
  });
  const said: fc.Arbitrary<Said> = fc.oneof(
    fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
    fc.constantFrom<Kind>('timeout', 'refused', 'other'),
  );
  const history = fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), said), { maxLength: 40 });

  test('no server goes without an answer that lacks it, held for its time, or an expired hold of the user', () => {
    fc.assert(
      fc.property(holds, history, (hold, steps) => {
        const scene = new Scene(hold);
        let now = 0;
        let lastServers: number | undefined;
        /** Of each server: since when answers lack it, and for how long that may be at most. */
        const denials = new Map<string, { at: number; patience: number }[]>();
        for (const [wait, news] of steps) {
          now += wait;
          const before = scene.set.split(' ').filter((host) => host !== '');
          const after = scene.say(now, news).split(' ');
          const failed = typeof news === 'string' ? hold[news] : undefined;
          if (typeof news !== 'string') {
            if (news.length > 0) lastServers = now;
            const patience = news.length > 0 ? hold.obsolete : hold.nx;
            for (const host of news) denials.delete(String(host));
            for (const host of before.filter((one) => !news.includes(Number(one)))) {
              denials.set(host, [...(denials.get(host) ?? []), { at: now, patience }]);
            }
            // And what an answer has is there.
            expect(after).toEqual(expect.arrayContaining(news.map(String)));
          }
          const givenUp = failed !== undefined && lastServers !== undefined && now - lastServers >= failed;
          for (const host of before.filter((one) => !after.includes(one))) {
            const denied = (denials.get(host) ?? []).some(({ at, patience }) => now - at >= patience);
            expect(denied || givenUp, `${host} went at ${now}`).toBe(true);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('a server that nothing holds any more is gone with the next look-up', () => {
    fc.assert(
      fc.property(holds, history, (hold, steps) => {
        const scene = new Scene(hold);
        let now = 0;
        for (const [wait, news] of steps) {
          now += wait;
          scene.say(now, news);
        }
        scene.say(now, [9]);
        expect(scene.say(now + 30_000, 'timeout')).toBe(hold.timeout === undefined ? '9' : '');
        expect(scene.say(now + 60_000, [9])).toBe('9');
      }),
    );
  });

  test('servers are told apart by what they are, never twice', () => {
    fc.assert(
      fc.property(holds, history, (hold, steps) => {
        const scene = new Scene(hold);
        let now = 0;
        for (const [wait, news] of steps) {
          now += wait;
          scene.say(now, news);
          const ids = [...scene.held.servers.values()].map((server) => idOf(server.endpoint));
          expect(new Set(ids).size).toBe(ids.length);
        }
      }),
    );
  });
});
