import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Candidate, Members, type Transition } from '../../../src/balance/members.ts';
import { DrainTally, logTransition } from '../../../src/control/events.ts';

const candidate = (port: number): Candidate => {
  const plain = { name: `s${port}`, address: '10.0.0.1', port, weight: 1, tier: 0 };
  return { ...plain, backup: false, maxconn: 0, drain: 50 };
};
const reasons = { present: 'found by web.service.consul', absent: () => 'critical: cut' };

/** Members of one source with the given servers. */
function members(...ports: readonly number[]): Members {
  const all = new Members();
  all.setSources(['a'], 0);
  all.discover('a', ports.map(candidate), reasons, 0);
  return all;
}

describe('logTransition', () => {
  /** What is written about the first transition. */
  function written([transition]: readonly Transition[], open = 1) {
    if (!transition) throw new Error('nothing has changed');
    const lines: [level: string, fields: object, message: string][] = [];
    const at = (level: string) => (fields: object, message: string) => lines.push([level, fields, message]);
    const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
    logTransition(log, 'web', transition, open);
    return lines;
  }

  test('says who, what, why and how many are left', () => {
    expect(written(members(80).health('10.0.0.1:80', false, 'L4CON', 7), 3)).toEqual([
      [
        'warn',
        {
          ...{ backend: 'web', server: 's80', address: '10.0.0.1:80', from: 'open', to: 'draining' },
          ...{ source: 'health', why: 'L4CON', open: 3 },
        },
        'server web/s80 gets no new requests',
      ],
    ]);
  });

  test('warns of servers lost, not of those that an operator has taken out, come, or are gone for good', () => {
    const level = (transitions: readonly Transition[]) => written(transitions)[0]?.[0];
    const all = members(80, 81, 82);
    expect(level(all.operator('10.0.0.1:80', 'maint', 'told', 1))).toBe('info');
    expect(level(all.discover('a', [80, 81].map(candidate), reasons, 2))).toBe('warn');
    expect(level(all.idle('10.0.0.1:82', 3))).toBe('info');
    expect(level(all.health('10.0.0.1:81', false, 'L4CON', 4))).toBe('warn');
    expect(level(all.health('10.0.0.1:81', true, 'L4OK', 5))).toBe('info');
  });

  test.each([
    [(all: Members) => all.discover('a', [candidate(81)], reasons, 1), 'server web/s81 takes requests', 1],
    [(all: Members) => all.health('10.0.0.1:80', false, 'x', 1), 'server web/s80 gets no new requests', 0],
    [
      (all: Members) => {
        all.health('10.0.0.1:80', false, 'x', 1);
        return all.idle('10.0.0.1:80', 2);
      },
      'server web/s80 is out of use',
      0,
    ],
    [
      (all: Members) => {
        all.discover('a', [], reasons, 1);
        return all.tick(100);
      },
      'server web/s80 is gone',
      0,
    ],
  ])('%#: %s', (change, message, at) => {
    const transitions = change(members(80));
    expect(written(transitions.slice(at))[0]?.[2]).toBe(message);
  });
});

describe('DrainTally', () => {
  test('every drain that began has ended in one way, or is still going on', () => {
    const step = fc.oneof(
      fc.subarray([80, 81, 82]).map((ports) => ({ kind: 'discover', ports }) as const),
      fc
        .tuple(fc.constantFrom(80, 81, 82), fc.boolean())
        .map(([port, up]) => ({ kind: 'health', port, up }) as const),
      fc.constantFrom(80, 81, 82).map((port) => ({ kind: 'idle', port }) as const),
      fc.constant({ kind: 'tick' } as const),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 40 }), step), { maxLength: 60 }), (steps) => {
        const tally = new DrainTally();
        const all = members(80, 81, 82);
        const ended = { idle: 0, deadline: 0 };
        let now = 0;
        for (const [wait, step] of steps) {
          now += wait;
          const id = `10.0.0.1:${'port' in step ? step.port : 0}`;
          const changes =
            step.kind === 'discover'
              ? all.discover('a', step.ports.map(candidate), reasons, now)
              : step.kind === 'health'
                ? all.health(id, step.up, 'x', now)
                : step.kind === 'idle'
                  ? all.idle(id, now)
                  : all.tick(now);
          for (const change of changes) {
            tally.record(change);
            if (change.ended) ended[change.ended]++;
          }
          const { started, finished, expired, cancelled } = tally.read();
          const running = [...all.all()].filter(({ state }) => state.work === 'draining').length;
          expect(started).toBe(finished + expired + cancelled + running);
          expect({ idle: finished, deadline: expired }).toEqual(ended);
        }
      }),
    );
  });

  test('a server that may not drain has not drained', () => {
    const tally = new DrainTally();
    const all = new Members();
    all.setSources(['a'], 0);
    all.discover('a', [{ ...candidate(80), drain: 0 }], reasons, 0);
    for (const change of all.discover('a', [], reasons, 1)) tally.record(change);
    expect(tally.read()).toEqual({ started: 0, finished: 0, expired: 0, cancelled: 0 });
  });
});
