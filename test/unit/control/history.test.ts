import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Member, Members, type Transition } from '../../../src/balance/members.ts';
import { BACKEND_EVENTS_KEPT, DEPARTED_KEPT, EVENTS_KEPT, History } from '../../../src/control/history.ts';

const REASONS = { present: 'found by web', absent: () => 'no longer found by web' };

/** Members of one name, whose every step is noted. */
function scene() {
  const members = new Members();
  const history = new History();
  members.setSources(['web'], 0);
  const step = (act: () => readonly Transition[], at: number) => {
    const transitions = act();
    history.note(members.changedIds, (id) => members.get(id), transitions, at);
    members.takeChanges();
  };
  const answer = (at: number, ...servers: readonly number[]) =>
    step(() => members.discover('web', servers.map(candidate), REASONS, at), at);
  return { members, history, step, answer };
}

function candidate(n: number) {
  const called = { name: `web-${n}`, address: `10.0.0.${n}`, port: 80 };
  return { ...called, weight: 1, tier: 0, backup: false, maxconn: 0, drain: 1_000, tls: undefined };
}

const id = (n: number) => `10.0.0.${n}:80`;

describe('a server', () => {
  test('has everything told that was said of it, and what came of it', () => {
    const { members, history, step, answer } = scene();
    answer(1, 1);
    step(() => members.health(id(1), false, 'Layer4 connection problem, 3 in a row', 2), 2);
    step(() => members.operator(id(1), 'maint', 'maint by alice', 3), 3);
    step(() => members.idle(id(1), 4), 4);
    step(() => members.health(id(1), true, 'Layer4 check passed', 5), 5);
    step(() => members.operator(id(1), 'ready', 'ready by alice', 6), 6);
    expect(history.of(id(1))?.events).toEqual([
      { at: 1, source: 'discovery', says: 'found', why: 'found by web', to: 'open' },
      { at: 2, source: 'health', says: 'down', why: 'Layer4 connection problem, 3 in a row', to: 'draining' },
      { at: 3, source: 'operator', says: 'maint', why: 'maint by alice' },
      { at: 4, source: 'drain', says: 'no work left', why: '', to: 'closed' },
      { at: 5, source: 'health', says: 'up', why: 'Layer4 check passed' },
      { at: 6, source: 'operator', says: 'ready', why: 'ready by alice', to: 'open' },
    ]);
  });

  test('that is gone can be asked about, and has its past back when it is', () => {
    const { members, history, step, answer } = scene();
    answer(1, 1, 2);
    answer(2, 2);
    step(() => members.tick(2_000), 3);
    expect(history.of(id(1))).toBeUndefined();
    expect(history.departed).toMatchObject([
      {
        id: id(1),
        name: 'web-1',
        events: [
          { says: 'found', to: 'open' },
          { says: 'lost', why: 'no longer found by web', to: 'draining' },
          { says: 'drain time over', to: 'gone' },
        ],
      },
    ]);
    answer(4, 1, 2);
    expect(history.departed).toEqual([]);
    expect(history.of(id(1))?.events).toHaveLength(4);
  });

  test('in a panic: it is told that it was used, and that it is not any more', () => {
    const { members, history, step, answer } = scene();
    answer(1, 1);
    step(() => members.health(id(1), false, 'refused', 2), 2);
    step(() => members.panic(true, '0 of 1 servers are up', 3), 3);
    step(() => members.panic(false, '1 of 1 servers are up', 4), 4);
    expect(history.of(id(1))?.events.slice(2)).toEqual([
      { at: 3, source: 'panic', says: 'on', why: '0 of 1 servers are up', to: 'open' },
      { at: 4, source: 'panic', says: 'off', why: '1 of 1 servers are up', to: 'draining' },
    ]);
  });

  test('that flaps has its last events kept, the backend too', () => {
    const { members, history, step, answer } = scene();
    answer(1, 1);
    for (let at = 2; at < 102; at++) {
      step(() => members.health(id(1), at % 2 === 1, `check ${at}`, at), at);
      history.backend({ at, source: 'backend', says: `${at}`, why: '' });
    }
    const events = history.of(id(1))?.events ?? [];
    expect([events.length, events.at(-1)?.why]).toEqual([EVENTS_KEPT, 'check 101']);
    expect([history.events.length, history.events.at(-1)?.says]).toEqual([BACKEND_EVENTS_KEPT, '101']);
  });

  test('does not hear twice of the same', () => {
    const { history, answer } = scene();
    for (let at = 1; at < 5; at++) answer(at, 1);
    expect(history.of(id(1))?.events).toHaveLength(1);
  });
});

test('whatever happens, what is kept is bounded, and those who are there are those who are known', () => {
  const servers = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 30 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('answer' as const), servers }),
    fc.record({
      kind: fc.constant('health' as const),
      n: fc.integer({ min: 1, max: 200 }),
      up: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('tick' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { members, history, step, answer } = scene();
      let now = 0;
      for (const one of steps) {
        now += 700;
        if (one.kind === 'answer') answer(now, ...new Set(one.servers));
        else if (one.kind === 'health') step(() => members.health(id(one.n), one.up, 'said', now), now);
        else step(() => members.tick(now), now);
        history.backend({ at: now, source: 'backend', says: one.kind, why: '' });
      }
      const known = members.all().map((member: Member) => member.id);
      for (const one of known) {
        const events = history.of(one)?.events ?? [];
        expect(events.length).toBeGreaterThan(0);
        expect(events.length).toBeLessThanOrEqual(EVENTS_KEPT);
      }
      expect(history.departed.length).toBeLessThanOrEqual(DEPARTED_KEPT);
      expect(history.departed.filter((gone) => known.includes(gone.id))).toEqual([]);
      expect(history.events.length).toBeLessThanOrEqual(BACKEND_EVENTS_KEPT);
    }),
  );
});
