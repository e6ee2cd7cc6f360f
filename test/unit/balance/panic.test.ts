import { describe, expect, test } from 'vitest';
import { Members } from '../../../src/balance/members.ts';
import { isPanic, strengthOf } from '../../../src/balance/panic.ts';

const REASONS = { present: 'found', absent: () => 'lost' };

/** Servers `10.0.0.1` and so on, of one name. */
function backendOf(...servers: readonly { backup?: boolean; tier?: number; weight?: number }[]) {
  const members = new Members();
  members.setSources(['web'], 0);
  members.discover(
    'web',
    servers.map(({ backup = false, tier = 0, weight = 1 }, i) => ({
      ...{ name: `web-${i + 1}`, address: `10.0.0.${i + 1}`, port: 80, drain: 1_000, maxconn: 0 },
      ...{ backup, tier, weight, tls: undefined },
    })),
    REASONS,
    0,
  );
  return members;
}

const id = (n: number) => `10.0.0.${n}:80`;

function open(members: Members): readonly string[] {
  return members
    .snapshots()
    .filter(({ admission }) => admission === 'open')
    .map(({ name }) => name);
}

describe('how many servers are up', () => {
  test('is counted of those that discovery has and the operator allows', () => {
    const members = backendOf({}, {}, {}, {}, { weight: 0 });
    members.health(id(1), false, 'L4CON', 1);
    members.operator(id(2), 'maint', 'deploy', 1);
    members.operator(id(3), 'drain', 'deploy', 1);
    expect(strengthOf(members.all())).toEqual({ up: 1, usable: 2 });
  });

  test('is that of the tier that works: others that stand in are no reason to panic', () => {
    const members = backendOf({}, {}, { tier: 1 }, { backup: true });
    members.health(id(1), false, 'L4CON', 1);
    expect(strengthOf(members.all())).toEqual({ up: 1, usable: 2 });
    members.health(id(2), false, 'L4CON', 1);
    expect(strengthOf(members.all())).toEqual({ up: 1, usable: 1 });
    members.health(id(3), false, 'L4CON', 1);
    expect(strengthOf(members.all())).toEqual({ up: 1, usable: 1 });
    members.health(id(4), false, 'L4CON', 1);
    expect(strengthOf(members.all())).toEqual({ up: 0, usable: 4 });
  });

  test.each([
    [{ up: 5, usable: 10 }, 50, false],
    [{ up: 4, usable: 10 }, 50, true],
    [{ up: 0, usable: 10 }, 1, true],
    [{ up: 0, usable: 10 }, 0, false],
    [{ up: 0, usable: 0 }, 50, false],
    [{ up: 9, usable: 10 }, 100, true],
  ])('%o is, at %d%%, a panic: %s', (strength, threshold, panic) => {
    expect(isPanic(strength, threshold)).toBe(panic);
  });
});

describe('in a panic', () => {
  test('servers that are down are used, those in maintenance or gone are not', () => {
    const members = backendOf({}, {}, {}, {});
    for (const n of [1, 2, 3]) members.health(id(n), false, 'L4CON', 1);
    members.operator(id(2), 'maint', 'deploy', 1);
    members.discoverChange('web', [], [id(3)], REASONS, 1);
    members.tick(2_000);
    expect(open(members)).toEqual(['web-4']);
    const transitions = members.panic(true, '1 of 2', 2_000);
    expect(transitions).toMatchObject([{ from: 'closed', to: 'open', source: 'panic', why: '1 of 2' }]);
    expect(open(members)).toEqual(['web-1', 'web-4']);
    expect(members.health(id(4), false, 'L4CON', 3_000)).toEqual([]);
    expect(open(members)).toEqual(['web-1', 'web-4']);
    expect(members.operator(id(1), 'drain', 'deploy', 3_000)).toMatchObject([{ to: 'draining' }]);
  });

  test('those that come are used too, and its end is the end of that', () => {
    const members = backendOf({});
    members.panic(true, 'why', 1);
    const candidate = { name: 'new', address: '10.0.0.9', port: 80, drain: 1_000, maxconn: 0, weight: 1 };
    const rest = { backup: false, tier: 0, tls: undefined };
    members.discoverChange('web', [{ ...candidate, ...rest }], [], REASONS, 2);
    members.health('10.0.0.9:80', false, 'L4CON', 3);
    expect(open(members)).toEqual(['web-1', 'new']);
    expect(members.panic(false, 'over', 4)).toMatchObject([{ to: 'draining', source: 'panic' }]);
    expect(open(members)).toEqual(['web-1']);
  });
});
