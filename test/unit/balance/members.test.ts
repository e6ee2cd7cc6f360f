import { describe, expect, test } from 'vitest';
import { type Candidate, downtime, Members, type Transition } from '../../../src/balance/members.ts';

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';
const C = '10.0.0.3:80';
const reasons = { present: 'registered', absent: (id: string) => `${id} deregistered` };

/** A candidate whose address is 10.0.0.`host`:80. */
function at(host: number, rest: Partial<Candidate> = {}): Candidate {
  const address = `10.0.0.${host}`;
  const plain = { weight: 1, tier: 0, backup: false, maxconn: 0, drain: 1000 };
  return { name: `web-${host}`, address, port: 80, ...plain, ...rest };
}

/** Members of one source, `web`, that has answered with these at time 0. */
function membersOf(...candidates: Candidate[]): Members {
  const members = new Members();
  members.setSources(['web'], 0);
  members.discover('web', candidates, reasons, 0);
  return members;
}

/** `web-1 open>draining health: L4CON`. */
function lines(transitions: readonly Transition[]): string[] {
  return transitions.map(({ member, from, to, source, why, ended }) => {
    return `${member.snapshot.name} ${from}>${to} ${source}: ${why}${ended ? ` [${ended}]` : ''}`;
  });
}

function names(members: Members): string[] {
  return members.snapshots().map((snapshot) => snapshot.name);
}

describe('an answer', () => {
  test('opens the servers it has', () => {
    const members = new Members();
    members.setSources(['web'], 0);
    const candidate = at(1, { weight: 7, tier: 2, backup: true, maxconn: 9 });
    const transitions = members.discover('web', [candidate], reasons, 5);
    expect(lines(transitions)).toEqual(['web-1 new>open discovery: registered']);
    expect(transitions[0]?.at).toBe(5);
    expect(members.snapshots()).toEqual([
      {
        id: A,
        name: 'web-1',
        address: '10.0.0.1',
        port: 80,
        weight: 7,
        tier: 2,
        backup: true,
        maxconn: 9,
        rank: 0,
        admission: 'open',
      },
    ]);
  });

  test('with the same servers in another order says nothing new', () => {
    const members = membersOf(at(1), at(2));
    const before = members.snapshots();
    expect(members.discover('web', [at(2), at(1)], reasons, 1)).toEqual([]);
    expect(members.snapshots()).toBe(before);
  });

  test('counts the first of two candidates that are the same server', () => {
    const members = membersOf(at(1, { weight: 3 }), at(1, { weight: 5 }));
    expect(members.snapshots().map((snapshot) => snapshot.weight)).toEqual([3]);
  });

  test('changes what is said of a server without a transition', () => {
    const members = membersOf(at(1));
    const before = members.snapshots();
    expect(members.discover('web', [at(1, { weight: 9, name: 'blue' })], reasons, 1)).toEqual([]);
    expect(members.snapshots()).not.toBe(before);
    expect(members.get(A)?.snapshot).toMatchObject({ weight: 9, name: 'blue', admission: 'open' });
  });

  test('drains what it no longer has, until that is idle', () => {
    const members = membersOf(at(1), at(2));
    expect(lines(members.discover('web', [at(2)], reasons, 10))).toEqual([
      'web-1 open>draining discovery: 10.0.0.1:80 deregistered',
    ]);
    expect(members.get(A)?.snapshot.admission).toBe('draining');
    expect(names(members)).toEqual(['web-1', 'web-2']);
    expect(lines(members.idle(A, 20))).toEqual(['web-1 draining>gone drain: no work left [idle]']);
    expect(members.get(A)).toBeUndefined();
    expect(members.idle(A, 21)).toEqual([]);
  });

  test('of a source that is not in the list is passed over', () => {
    const members = membersOf(at(1));
    expect(members.discover('late', [at(2)], reasons, 1)).toEqual([]);
    expect(names(members)).toEqual(['web-1']);
  });
});

describe('a drain', () => {
  test('ends at its deadline', () => {
    const members = membersOf(at(1, { drain: 300 }), at(2, { drain: 100 }));
    expect(members.nextDeadline()).toBeUndefined();
    members.discover('web', [], reasons, 10);
    expect(members.nextDeadline()).toBe(110);
    expect(members.tick(109)).toEqual([]);
    expect(lines(members.tick(110))).toEqual(['web-2 draining>gone drain: drain time over [deadline]']);
    expect(members.nextDeadline()).toBe(310);
    members.tick(1000);
    expect(members.all()).toEqual([]);
    expect(members.nextDeadline()).toBeUndefined();
  });

  test('is taken back when the server reappears, which keeps what health and the operator said', () => {
    const members = membersOf(at(1), at(2));
    members.health(A, false, 'L4CON', 1);
    members.operator(B, 'maint', 'deploy', 1);
    members.discover('web', [], reasons, 2);
    expect(members.discover('web', [at(1), at(2)], reasons, 3)).toEqual([]);
    expect(lines(members.health(A, true, 'L4OK', 4))).toEqual(['web-1 draining>open health: L4OK']);
    expect(lines(members.operator(B, 'ready', 'done', 5))).toEqual(['web-2 draining>open operator: done']);
    expect(members.nextDeadline()).toBeUndefined();
  });

  test('that is taken back by discovery alone opens the same member again', () => {
    const members = membersOf(at(1));
    members.discover('web', [], reasons, 10);
    expect(lines(members.discover('web', [at(1, { weight: 2 })], reasons, 30))).toEqual([
      'web-1 draining>open discovery: registered',
    ]);
    expect(members.get(A)).toMatchObject({ downs: 1, snapshot: { weight: 2, admission: 'open' } });
  });

  test('takes the time that was last said of a server', () => {
    const members = membersOf(at(1, { drain: 100 }));
    members.discover('web', [at(1, { drain: 500 })], reasons, 1);
    members.discover('web', [], reasons, 10);
    expect(members.nextDeadline()).toBe(510);
  });

  test('of no time is none: the server is gone, or closed, at once', () => {
    const members = membersOf(at(1, { drain: 0 }), at(2, { drain: 0 }));
    expect(lines(members.discover('web', [at(2, { drain: 0 })], reasons, 1))).toEqual([
      'web-1 open>gone discovery: 10.0.0.1:80 deregistered',
    ]);
    expect(lines(members.health(B, false, 'L4TOUT', 2))).toEqual(['web-2 open>closed health: L4TOUT']);
    expect(members.snapshots()).toEqual([]);
    expect(members.nextDeadline()).toBeUndefined();
  });
});

describe('health and the operator', () => {
  test('a server that is down and drained stays a member that the plane does not see, and comes back', () => {
    const members = membersOf(at(1));
    expect(lines(members.health(A, false, 'L4CON', 1))).toEqual(['web-1 open>draining health: L4CON']);
    expect(lines(members.idle(A, 2))).toEqual(['web-1 draining>closed drain: no work left [idle]']);
    expect(members.snapshots()).toEqual([]);
    expect(members.get(A)?.state.work).toBe('closed');
    expect(lines(members.health(A, true, 'L4OK', 3))).toEqual(['web-1 closed>open health: L4OK']);
    expect(names(members)).toEqual(['web-1']);
  });

  test('a closed server that vanishes is gone at once', () => {
    const members = membersOf(at(1));
    members.operator(A, 'maint', 'deploy', 1);
    members.idle(A, 2);
    expect(lines(members.discover('web', [], reasons, 3))).toEqual([
      'web-1 closed>gone discovery: 10.0.0.1:80 deregistered',
    ]);
    expect(members.all()).toEqual([]);
  });

  test('what does not change whether a server may work is no transition', () => {
    const members = membersOf(at(1));
    expect(members.health(A, true, 'L4OK', 1)).toEqual([]);
    members.health(A, false, 'L4CON', 2);
    expect(members.operator(A, 'drain', 'deploy', 3)).toEqual([]);
    expect(members.operator(A, 'maint', 'deploy', 4)).toEqual([]);
    expect(members.health(A, true, 'L4OK', 5)).toEqual([]);
    expect(lines(members.operator(A, 'ready', 'done', 6))).toEqual(['web-1 draining>open operator: done']);
  });

  test('the one that lets a server in is named even when all was said at the same moment', () => {
    const members = membersOf(at(1));
    members.health(A, false, 'L4CON', 0);
    expect(lines(members.health(A, true, 'L4OK', 0))).toEqual(['web-1 draining>open health: L4OK']);
  });

  test('unknown servers are passed over', () => {
    const members = membersOf(at(1));
    expect(members.health(B, false, 'L4CON', 1)).toEqual([]);
    expect(members.operator(B, 'maint', 'deploy', 1)).toEqual([]);
    expect(members.idle(B, 1)).toEqual([]);
  });
});

describe('several sources', () => {
  function both(): Members {
    const members = new Members();
    members.setSources(['first', 'second'], 0);
    members.discover('second', [at(1, { weight: 2 }), at(2)], reasons, 0);
    members.discover('first', [at(3), at(1, { weight: 1 })], reasons, 1);
    return members;
  }

  test('the first one that has a server says what it is', () => {
    const members = both();
    expect(members.get(A)?.snapshot.weight).toBe(1);
    expect(members.setSources(['second', 'first'], 2)).toEqual([]);
    expect(members.get(A)?.snapshot.weight).toBe(2);
  });

  test('a server stays while any of them has it', () => {
    const members = both();
    expect(members.discover('first', [at(3)], reasons, 2)).toEqual([]);
    expect(members.get(A)?.snapshot).toMatchObject({ weight: 2, admission: 'open' });
    expect(lines(members.discover('second', [at(2)], reasons, 3))).toHaveLength(1);
  });

  test('the servers of one that is dropped drain', () => {
    const members = both();
    expect(lines(members.setSources(['first'], 2))).toEqual([
      'web-2 open>draining discovery: removed from the configuration',
    ]);
    // It starts without an answer if it is listed again.
    expect(members.setSources(['first', 'second'], 3)).toEqual([]);
    expect(members.get(B)?.snapshot.admission).toBe('draining');
  });

  test('snapshots follow the order of the sources, then of first sight', () => {
    const members = both();
    // web-1 was seen before web-3.
    expect(names(members)).toEqual(['web-1', 'web-3', 'web-2']);
    members.setSources(['second', 'first'], 2);
    expect(names(members)).toEqual(['web-1', 'web-2', 'web-3']);
    members.discover('second', [at(2)], reasons, 3);
    expect(names(members)).toEqual(['web-2', 'web-1', 'web-3']);
    // Draining, and of no source any more: it stays where it was.
    members.setSources(['first'], 4);
    expect(names(members)).toEqual(['web-1', 'web-2', 'web-3']);
  });
});

describe('names', () => {
  test('of two servers the one with the lower id has the plain name, whatever the order', () => {
    const named = ['web', 'web@10.0.0.2:80'];
    expect(names(membersOf(at(1, { name: 'web' }), at(2, { name: 'web' })))).toEqual(named);
    expect(names(membersOf(at(2, { name: 'web' }), at(1, { name: 'web' })))).toEqual(named);
  });

  test('stay with who has them', () => {
    const web = (host: number) => at(host, { name: 'web' });
    const members = membersOf(web(2));
    members.discover('web', [web(1), web(2)], reasons, 1);
    expect(names(members)).toEqual(['web', 'web@10.0.0.1:80']);
    // Free again, but a name in use does not change for that; the next one to come may have it.
    members.discover('web', [web(1)], reasons, 2);
    members.idle(B, 3);
    members.discover('web', [at(1, { name: 'web', weight: 5 })], reasons, 4);
    expect(names(members)).toEqual(['web@10.0.0.1:80']);
    members.discover('web', [web(1), web(3)], reasons, 5);
    expect(members.get(C)?.snapshot.name).toBe('web');
  });

  test('go with an instance that moves, and come back with it', () => {
    const old = at(1, { name: 'web', instance: 'web' });
    const moved = at(1, { name: 'web', instance: 'web', port: 81 });
    const members = membersOf(old);
    members.discover('web', [moved], reasons, 1);
    expect(members.all().map(({ id, snapshot }) => `${id} ${snapshot.name} ${snapshot.admission}`)).toEqual([
      '10.0.0.1:80/web web@10.0.0.1:80 draining',
      '10.0.0.1:81/web web open',
    ]);
    members.discover('web', [old], reasons, 2);
    expect(names(members)).toEqual(['web', 'web@10.0.0.1:81']);
  });

  test('can be swapped within one answer', () => {
    const members = membersOf(at(1, { name: 'blue' }), at(2, { name: 'green' }));
    members.discover('web', [at(1, { name: 'green' }), at(2, { name: 'blue' })], reasons, 1);
    expect(names(members)).toEqual(['green', 'blue']);
  });

  test('of a server that goes at once are free for the one that takes its place', () => {
    const members = membersOf(at(1, { name: 'web', drain: 0 }));
    members.discover('web', [at(2, { name: 'web' })], reasons, 1);
    expect(names(members)).toEqual(['web']);
  });

  test('are unique even when someone is called what another one was made to be called', () => {
    const members = membersOf(at(1, { name: 'web@10.0.0.3:80' }), at(2, { name: 'web' }));
    members.discover('web', [...[1, 2, 3].map((host) => at(host, { name: 'web' }))], reasons, 1);
    expect(new Set(names(members)).size).toBe(3);
  });
});

describe('an instance', () => {
  const blue = at(1, { name: 'blue', instance: 'blue' });
  const green = at(1, { name: 'green', instance: 'green' });

  test('that gets the address and port of another is another server, with nothing of its state', () => {
    const members = membersOf(blue);
    members.operator('10.0.0.1:80/blue', 'maint', 'deploy', 1);
    members.health('10.0.0.1:80/blue', false, 'L4CON', 1);
    expect(lines(members.discover('web', [green], reasons, 2))).toEqual([
      'green new>open discovery: registered',
    ]);
    expect(members.get('10.0.0.1:80/green')).toMatchObject({ downs: 0, snapshot: { admission: 'open' } });
  });

  test('may share them with another', () => {
    const members = membersOf(blue, green);
    expect(names(members)).toEqual(['blue', 'green']);
    members.discover('web', [green], reasons, 1);
    expect(members.snapshots().map(({ admission }) => admission)).toEqual(['draining', 'open']);
  });
});

describe('what an operator said of a server that is gone', () => {
  /** Taken out at 1 and gone at 2. */
  function gone(): Members {
    const members = membersOf(at(1), at(2));
    members.operator(A, 'maint', 'deploy', 1);
    members.discover('web', [at(2)], reasons, 2);
    members.idle(A, 2);
    expect(members.get(A)).toBeUndefined();
    return members;
  }

  test('holds when it is back within the hour', () => {
    const members = gone();
    expect(lines(members.discover('web', [at(1), at(2)], reasons, 3_600_001))).toEqual([
      'web-1 new>closed operator: deploy',
    ]);
    expect(names(members)).toEqual(['web-2']);
    expect(lines(members.operator(A, 'ready', 'done', 3_600_002))).toEqual([
      'web-1 closed>open operator: done',
    ]);
  });

  test('is forgotten after it, and with the thousandth that is gone after it', () => {
    expect(lines(gone().discover('web', [at(1), at(2)], reasons, 3_600_002))).toEqual([
      'web-1 new>open discovery: registered',
    ]);
    const members = gone();
    const others = Array.from({ length: 1_000 }, (_, i) =>
      at(9, { name: `o${i}`, port: 1_000 + i, drain: 0 }),
    );
    members.discover('web', others, reasons, 3);
    for (const { port } of others) members.operator(`10.0.0.9:${port}`, 'drain', 'told', 4);
    members.discover('web', [], reasons, 5);
    expect(lines(members.discover('web', [at(1)], reasons, 6))).toEqual([
      'web-1 new>open discovery: registered',
    ]);
  });
});

test('a member counts how often and how long it was not open', () => {
  const members = membersOf(at(1));
  const history = (now: number) => {
    const member = members.get(A);
    return member && [member.downs, downtime(member, now)];
  };
  expect(history(5)).toEqual([0, 0]);
  members.health(A, false, 'L4CON', 10);
  expect(history(15)).toEqual([1, 5]);
  members.idle(A, 20);
  expect(history(30)).toEqual([1, 20]);
  members.health(A, true, 'L4OK', 40);
  expect(history(100)).toEqual([1, 30]);
  members.operator(A, 'maint', 'deploy', 100);
  members.operator(A, 'ready', 'done', 101);
  expect(history(200)).toEqual([2, 31]);
});
