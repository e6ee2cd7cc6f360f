import { describe, expect, test } from 'vitest';
import { bad, Failover, good, PROMOTE } from './failover-rig.ts';

describe('at the start', () => {
  test('clients are held until the master answers', () => {
    const failover = new Failover();
    expect(failover.is).toBe('INIT - 0');
    expect(failover.probe('db2', good({ io: 'yes' })).is).toBe('INIT - 0');
    expect(failover.probe('db1', good()).is).toBe('MASTER db1 1');
  });

  test('a slave needs the same evidence as later: one failure of the master is none', () => {
    const failover = new Failover().probe('db2', good({ io: 'connecting', lag: null })).probe('db1', bad());
    expect(failover.is).toBe('INIT - 0');
    failover.probe('db2', good({ io: 'connecting', lag: null })).probe('db1', bad());
    expect(failover.is).toBe('DEGRADED db2 1');
  });

  test('of two that take writes the one that is configured as master is led to', () => {
    const failover = new Failover().probe('db2', good({ io: 'yes', readOnly: false })).probe('db1', good());
    expect(failover.is).toBe('MASTER db1 1');
    expect(failover.alarms).toEqual(['split', 'slave-writable db2']);
  });

  test('nobody there is told as such', () => {
    const failover = new Failover()
      .probe('db1', bad())
      .probe('db2', bad())
      .probe('db1', bad())
      .probe('db2', bad());
    expect(failover.is).toBe('NONE - 0');
    expect(failover.probe('db1', good()).probe('db1', good()).is).toBe('MASTER db1 1');
  });
});

describe('a master that fails', () => {
  test('is suspected at once, and given up after two refusals that its slave confirms', () => {
    const failover = new Failover().begin().probe('db1', bad());
    expect(failover.is).toBe('SUSPECT db1 1');
    failover.probe('db2', good({ io: 'connecting', lag: null })).probe('db1', bad());
    expect(failover.is).toBe('SWITCHING - 1');
    expect(failover.released().is).toBe('DEGRADED db2 2');
  });

  test('needs three timeouts', () => {
    const failover = new Failover().begin();
    failover
      .probe('db1', bad('timeout'))
      .probe('db2', good({ io: 'no', lag: null }))
      .probe('db1', bad('timeout'));
    expect(failover.is).toBe('SUSPECT db1 1');
    expect(failover.probe('db1', bad('timeout')).is).toBe('SWITCHING - 1');
  });

  test('that sends bytes in sessions gets twice as many', () => {
    const failover = new Failover().begin();
    for (let i = 0; i < 5; i++) failover.probe('db1', bad('timeout'), failover.now);
    failover.probe('db2', good({ io: 'no', lag: null }));
    expect(failover.is).toBe('SUSPECT db1 1');
    expect(failover.probe('db1', bad('timeout'), failover.now).is).toBe('SWITCHING - 1');
  });

  test('that its slave still hears from is waited for', () => {
    const failover = new Failover().begin();
    for (let i = 0; i < 5; i++) failover.probe('db1', bad()).probe('db2', good({ io: 'yes' }));
    expect(failover.is).toBe('SUSPECT db1 1');
    failover.now += 5_000;
    expect(failover.tick().is).toBe('SWITCHING - 1');
  });

  test('what its slave said before it failed confirms nothing', () => {
    const failover = new Failover().begin().probe('db2', good({ io: 'connecting', lag: null }));
    expect(failover.probe('db1', bad()).probe('db1', bad()).is).toBe('SUSPECT db1 1');
  });

  test('and answers again is not left', () => {
    expect(new Failover().begin().probe('db1', bad()).probe('db1', good()).is).toBe('MASTER db1 1');
  });

  test('and comes back while clients are let go of keeps them', () => {
    const failover = new Failover().begin().probe('db1', bad()).probe('db2', bad()).probe('db1', bad());
    failover.probe('db2', bad());
    expect(failover.is).toBe('NONE - 1');
    expect(failover.probe('db1', good()).probe('db1', good()).is).toBe('MASTER db1 2');
  });

  test.each(['overloaded', 'blocked', 'misconfigured'] as const)('%s is not left, however often', (kind) => {
    const failover = new Failover().begin();
    for (let i = 0; i < 50; i++) failover.probe('db1', bad(kind)).probe('db2', good({ io: 'yes' }));
    expect(failover.is).toBe('MASTER db1 1');
    expect(failover.alarms).toEqual([`${kind} db1`]);
    expect(failover.probe('db1', good()).alarms).toEqual([]);
  });

  test('an answer of any kind between two refusals begins the count anew', () => {
    const failover = new Failover().begin().probe('db2', good({ io: 'connecting', lag: null }));
    failover.probe('db1', bad()).probe('db1', bad('overloaded')).probe('db1', bad());
    expect(failover.is).toBe('SUSPECT db1 1');
  });

  test('has no replacement in a slave that takes writes', () => {
    const failover = new Failover().probe('db2', good({ io: 'yes' })).probe('db1', good());
    failover.probe('db1', bad()).probe('db2', good({ io: 'connecting', lag: null, readOnly: false }));
    expect(failover.probe('db1', bad()).is).toBe('NONE - 1');
  });

  test('has no replacement in a slave whose replication had stopped too long before', () => {
    const failover = new Failover({ maxStale: 10_000 }).begin();
    failover.pass(12_000, good(), good({ io: 'yes', sql: false, lag: null }));
    expect(failover.alarms).toEqual(['stale db2']);
    failover
      .probe('db1', bad())
      .probe('db2', good({ io: 'connecting', sql: false, lag: null }))
      .probe('db1', bad());
    expect(failover.is).toBe('NONE - 1');
  });

  test('makes no slave older by being dead', () => {
    const failover = new Failover({ maxStale: 10_000 }).begin().fail();
    failover.pass(60_000, bad(), good({ io: 'connecting', lag: null }));
    expect(failover.is).toBe('DEGRADED db2 2');
  });

  test('is replaced by the slave that is least behind', () => {
    const failover = new Failover({}, ['db2', 'db3']).probe('db2', good({ io: 'yes', lag: 5_000 }));
    failover
      .probe('db3', good({ io: 'yes', lag: 1_000 }))
      .probe('db1', good())
      .probe('db1', bad());
    failover
      .probe('db2', good({ io: 'connecting', lag: null }))
      .probe('db3', good({ io: 'connecting', lag: null }));
    expect(failover.probe('db1', bad()).released().is).toBe('DEGRADED db3 2');
    failover.probe('db3', bad()).probe('db3', bad());
    expect(failover.released().is).toBe('DEGRADED db2 3');
  });
});

describe('letting go', () => {
  test('that nobody confirms takes its time, and no more', () => {
    const failover = new Failover()
      .begin()
      .probe('db1', bad())
      .probe('db2', good({ io: 'no', lag: null }));
    expect(failover.probe('db1', bad()).tick().is).toBe('SWITCHING - 1');
    failover.now += 1_000;
    expect(failover.tick().is).toBe('DEGRADED db2 2');
  });

  test('of another epoch is not this one', () => {
    const failover = new Failover()
      .begin()
      .probe('db1', bad())
      .probe('db2', good({ io: 'no', lag: null }));
    failover.probe('db1', bad()).see({ kind: 'released', since: 0 });
    expect(failover.is).toBe('SWITCHING - 1');
  });

  test('with nobody left to go to leads nowhere', () => {
    const failover = new Failover()
      .begin()
      .probe('db1', bad())
      .probe('db2', good({ io: 'no', lag: null }));
    failover.probe('db1', bad()).probe('db2', bad()).probe('db2', bad());
    expect(failover.released().is).toBe('NONE - 1');
  });
});

describe('failback', () => {
  test('comes after the master has been well for its time, with the slave replicating', () => {
    const failover = new Failover().begin().fail().probe('db1', good()).probe('db1', good());
    expect(failover.is).toBe('RECOVERING db2 2');
    expect(failover.pass(55_000).is).toBe('RECOVERING db2 2');
    expect(failover.pass(10_000).is).toBe('MASTER db1 3');
  });

  test.each([
    ['the master is read-only', good({ readOnly: true }), good({ io: 'yes' }), []],
    ['the slave does not replicate', good(), good({ io: 'connecting', lag: null }), []],
    ['the slave has what the master lacks', good({ gtid: '0-1-9' }), good({ io: 'yes' }), ['diverged db1']],
    [
      'both have gone their own way',
      good({ gtid: '0-1-11' }),
      good({ io: 'yes', gtid: '0-1-10,0-2-11' }),
      ['diverged db1'],
    ],
    ['both take writes', good(), good({ io: 'yes', readOnly: false }), ['split', 'slave-writable db2']],
  ])('does not come while %s', (_, master, slave, alarms) => {
    const failover = new Failover().begin().fail().pass(200_000, master, slave);
    expect(failover.is).toBe('RECOVERING db2 2');
    expect(failover.alarms).toEqual(alarms);
  });

  test('a master that has parted ways is not even used when the slave dies', () => {
    const failover = new Failover()
      .begin()
      .fail()
      .pass(5_000, good({ gtid: '0-1-9' }));
    failover
      .probe('db2', bad())
      .probe('db2', bad())
      .probe('db1', good({ gtid: '0-1-9' }));
    expect(failover.is).toBe('NONE - 2');
  });

  test('what was found stays true while the slave has been asked later than the master', () => {
    const failover = new Failover()
      .begin()
      .fail()
      .pass(5_000, good({ gtid: '0-1-9' }));
    failover.probe('db2', good({ io: 'yes', gtid: '0-1-10' }));
    expect(failover.alarms).toEqual(['diverged db1']);
    failover.probe('db2', bad()).probe('db2', bad());
    expect(failover.is).toBe('NONE - 2');
    // Only one who has made them equal again ends it.
    expect(failover.probe('db1', good({ gtid: '0-1-10' })).is).toBe('MASTER db1 3');
  });

  test('a slave that was written while it was the target keeps its master from being used', () => {
    const failover = new Failover().begin().fail();
    failover.probe('db2', good({ readOnly: false, gtid: '0-1-10,0-2-11' }));
    failover.pass(5_000, good(), good({ io: 'yes', gtid: '0-1-10,0-2-11' }));
    failover
      .probe('db2', good({ io: 'yes', gtid: '0-1-10,0-2-11' }))
      .probe('db2', bad())
      .probe('db2', bad());
    expect(failover.pass(5_000, good(), bad()).is).toBe('NONE - 2');
  });

  test('a master that is well is used at once when the slave dies', () => {
    const failover = new Failover().begin().fail().pass(5_000);
    expect(failover.probe('db2', bad()).probe('db2', bad()).released().is).toBe('MASTER db1 3');
  });

  test('one failure of the master begins its time anew', () => {
    const failover = new Failover().begin().fail().pass(50_000).probe('db1', bad()).pass(50_000);
    expect(failover.is).toBe('RECOVERING db2 2');
  });

  test('automatic: comes as soon as the master is up, replication or not', () => {
    const failover = new Failover({
      failback: { policy: 'automatic', stable: 60_000, maxStable: 60_000, maxPerHour: 4 },
    });
    failover.begin().fail().probe('db1', good());
    expect(failover.is).toBe('DEGRADED db2 2');
    expect(failover.probe('db1', good()).is).toBe('SWITCHING - 2');
  });

  test('manual: does not come', () => {
    const failover = new Failover({ failback: { policy: 'manual', stable: 0, maxStable: 0, maxPerHour: 4 } });
    expect(failover.begin().fail().pass(200_000).is).toBe('RECOVERING db2 2');
  });

  test('takes longer each time, and stops after four moves within an hour', () => {
    const failover = new Failover().begin();
    const times: number[] = [];
    for (let round = 0; round < 2; round++) {
      failover.fail();
      const from = failover.now;
      while (failover.state.phase !== 'SWITCHING') failover.pass(1_000);
      times.push(Math.round((failover.now - from) / 60_000));
      failover.released();
    }
    expect(times).toEqual([1, 2]);
    failover.fail().pass(1_800_000);
    expect(failover.is).toBe('RECOVERING db2 6');
    expect(failover.alarms).toEqual(['frozen']);
    expect(failover.pass(3_600_000).is).toBe('MASTER db1 7');
  });
});

test('a master that takes no writes keeps its clients, and says so', () => {
  const failover = new Failover().begin().probe('db1', good({ readOnly: true }));
  expect(failover.is).toBe('MASTER db1 1');
  expect(failover.alarms).toEqual(['no-writer']);
});

test('each change is told once, with its reason', () => {
  const { events } = new Failover().begin().fail();
  const told = events.map((event) => {
    if (event.kind === 'phase') return `${event.to}: ${event.reason}`;
    return 'alarm' in event ? `${event.kind} ${event.alarm.kind}` : event.kind;
  });
  expect(told).toEqual([
    'MASTER: the master answers',
    'SUSPECT: db1: dead',
    'SWITCHING: db1 is down: dead',
    'alarm dead',
    'DEGRADED: db1 is down: dead',
  ]);
});

describe('a master whose agent the registry has lost', () => {
  const lose = (agentLoss: 'failover' | 'confirm' | 'ignore') =>
    new Failover({ agentLoss }).begin().see({ kind: 'agent', server: 'db1', isLost: true });

  test('failover: is left although it answers, after a grace, and gone back to when the agent is there', () => {
    const failover = lose('failover');
    expect(failover.is).toBe('MASTER db1 1');
    failover.now += 2_000;
    expect(failover.probe('db1', good()).is).toBe('SWITCHING - 1');
    expect(failover.released().pass(200_000).is).toBe('RECOVERING db2 2');
    expect(failover.alarms).toEqual(['agent-lost db1']);
    expect(failover.refuses({ do: 'failback', force: true })).toMatch(/lost the agent of db1/);
    failover.see({ kind: 'agent', server: 'db1', isLost: false }).pass(1_000);
    expect(failover.released().is).toBe('MASTER db1 3');
  });

  test('failover: is kept as long as nobody can stand in', () => {
    const failover = lose('failover').order({ do: 'drain', server: 'db2' });
    failover.now += 60_000;
    expect(failover.probe('db1', good()).is).toBe('MASTER db1 1');
  });

  test('confirm: is left when it does not answer either, without waiting for its slave', () => {
    const failover = lose('confirm').pass(60_000);
    expect(failover.is).toBe('MASTER db1 1');
    expect(failover.probe('db1', bad()).is).toBe('SUSPECT db1 1');
    expect(failover.probe('db1', bad()).is).toBe('SWITCHING - 1');
  });

  test('ignore: is as any other', () => {
    const failover = lose('ignore').pass(60_000);
    expect(failover.is).toBe('MASTER db1 1');
    expect(failover.alarms).toEqual([]);
    expect(failover.probe('db1', bad()).probe('db1', bad()).is).toBe('SUSPECT db1 1');
  });

  test('is not replaced for that: a promotion needs a master that is dead', () => {
    const failover = new Failover({ ...PROMOTE }).begin().see({ kind: 'agent', server: 'db1', isLost: true });
    failover.now += 2_000;
    expect(failover.probe('db1', good()).released().pass(60_000).is).toBe('RECOVERING db2 2');
  });
});
